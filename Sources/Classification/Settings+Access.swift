import HTTPServer
import Transport

/// An address with a port, as it is written: `127.0.0.1:9090`, `[::1]:9090`, `localhost:0`.
struct ListenAddress: Equatable, Sendable {
    let host: String
    let port: Int

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }
}

extension Settings {
    /// Notes what the type of a setting does not say.
    func checkAccess(_ faults: inout SettingsFaults) {
        func add(_ key: String, _ value: String, _ allowed: String) {
            faults.add(.invalidValue(key: key, value: "'\(value)'", origin: origin(of: key), allowed: allowed))
        }
        if !adminAddress.isEmpty, ListenAddress(adminAddress) == nil {
            add("adminAddress", adminAddress, "HOST:PORT, such as 127.0.0.1:9090 or [::1]:9090")
        }
        for allowed in corsAllowedOrigins where !CrossOriginPolicy.isOrigin(allowed) {
            add(
                "corsAllowedOrigins", allowed,
                "* or origins as browsers send them, such as https://app.example, without a path")
        }
        for proxy in trustedProxies where AddressRange(proxy) == nil {
            add(
                "trustedProxies", proxy,
                "addresses or ranges, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32, with no bits set behind the "
                    + "range's")
        }
    }

    /// The files of TLS; nil where it is not asked for.
    /// - Throws: `ServiceStartError.conflictingSettings`.
    func tlsConfiguration() throws(ServiceStartError) -> TLSConfiguration? {
        guard !tlsCertificate.isEmpty else {
            let needy = [("tlsKey", tlsKey), ("tlsClientCa", tlsClientCa), ("adminTls", adminTls == "on" ? "on" : "")]
                .filter { !$1.isEmpty }.map { "'\($0)' is \($1) (\(origin(of: $0)))" }
            guard needy.isEmpty else {
                throw .conflictingSettings("\(needy.joined(separator: ", ")), but there is no 'tlsCertificate'")
            }
            return nil
        }
        return TLSConfiguration(
            certificatePath: tlsCertificate, keyPath: tlsKey.isEmpty ? tlsCertificate : tlsKey,
            clientAuthorityPath: tlsClientCa.isEmpty ? nil : tlsClientCa)
    }

    /// What `checkAccess` has let through.
    var proxies: TrustedProxies { TrustedProxies(trustedProxies.compactMap(AddressRange.init)) }

    var crossOriginPolicy: CrossOriginPolicy? {
        guard !corsAllowedOrigins.isEmpty else { return nil }
        return CrossOriginPolicy(
            allowed: corsAllowedOrigins,
            requestFields: [
                "Authorization", "Content-Type", "Content-Encoding", "Inference-Header-Content-Length",
                "X-Request-Deadline-Ms", "X-Request-Id", "X-Request-Priority",
            ],
            exposedFields: [
                "Inference-Header-Content-Length", "Retry-After", "Retry-After-Ms", "Server-Timing", "X-Model",
                "X-Model-Version", "X-Request-Id",
            ])
    }
}
