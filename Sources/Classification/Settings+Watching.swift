/// Where spans are sent to: `http://HOST:PORT/PATH`.
struct CollectorEndpoint: Equatable, Sendable {
    let host: String
    let port: Int
    let path: String

    /// What `otlpEndpoint` may be, as the end of a sentence.
    static let allowed =
        "http://HOST:PORT/v1/traces; where the collector wants TLS or credentials, one on this machine passes spans on"

    /// Without a path it is that of the specification. Source: OpenTelemetry Protocol, "OTLP/HTTP request".
    ///
    /// - Returns: nil where the text is no such address. There is no default port: 80 is hardly ever meant.
    init?(_ text: String) {
        guard text.hasPrefix("http://"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let rest = text.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        guard let address = ListenAddress(String(authority)), address.port > 0,
            !address.host.contains(where: { "@?#".contains($0) }), !path.contains("#")
        else { return nil }
        host = address.host
        port = address.port
        self.path = path.isEmpty || path == "/" ? "/v1/traces" : String(path)
    }

    /// For the field `Host`.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension CollectorEndpoint: CustomStringConvertible {
    var description: String { "http://\(authority)\(path)" }
}

extension Settings {
    /// Notes what the type of a setting does not say.
    func checkWatching(_ faults: inout SettingsFaults) {
        guard !otlpEndpoint.isEmpty, CollectorEndpoint(otlpEndpoint) == nil else { return }
        faults.add(
            .invalidValue(
                key: "otlpEndpoint", value: "'\(otlpEndpoint)'", origin: origin(of: "otlpEndpoint"),
                allowed: CollectorEndpoint.allowed))
    }

    /// Whether anybody looks at requests one by one.
    var watchesRequests: Bool { accessLog != "off" || slowRequestMilliseconds > 0 || !otlpEndpoint.isEmpty }
}
