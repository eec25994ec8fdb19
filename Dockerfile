# The service in an image: `docker build --tag swiftlet .` and `docker run --publish 8080:8080 swiftlet`.
# What it may be built from and on, and how to run it: docs/operations.md, "Container".

# Any with Swift 6.3 and Debian's or Ubuntu's packages; its glibc must not be newer than the runtime's.
ARG BUILD_IMAGE=swift:6.3-bookworm
# Any with glibc: nothing else of it is used, not even a shell.
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
# Where `swift` lies, if not there where the default image has it.
ARG SWIFT_BIN=/usr/bin
ENV PATH="${SWIFT_BIN}:${PATH}"
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends \
        binutils git libjpeg-dev libpng-dev libssl-dev libwebp-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /swiftlet
COPY . .
# The commit, which the build cannot see from here.
ARG REVISION=unknown
RUN --mount=type=cache,target=/swiftlet/.build-release,sharing=locked \
    SWIFTLET_COMMIT="$(printf %.12s "${REVISION}")" scripts/release /release

FROM ${RUNTIME_IMAGE}
ARG RUNTIME_IMAGE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Swiftlet" \
    org.opencontainers.image.description="Classifies images with EfficientNet on CPUs, over HTTP." \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
# What changes least comes first.
COPY --from=build /release/share/swiftlet/models /usr/local/share/swiftlet/models
COPY --from=build /release/share/doc/swiftlet /usr/local/share/doc/swiftlet
COPY --from=build /release/bin/swiftlet /usr/local/bin/swiftlet
# A config.json that is mounted here is read.
WORKDIR /etc/swiftlet
# A number, as a cluster that asks for a user other than root cannot look up a name.
USER 65532:65532
EXPOSE 8080
# By the settings of the environment and config.json. `ready` also fails during a drain, which takes the container out of a balancer.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/swiftlet", "health"]
ENTRYPOINT ["/usr/local/bin/swiftlet"]
CMD ["serve"]
