import Dispatch
import TestSupport

/// A proxy before two servers, as small as it gets but with connections to them that are kept and shared.
struct Proxy: Sendable {
    var name: String
    var path: String
    /// The configuration, for a directory of its own and the servers' ports.
    var configuration: @Sendable (_ directory: String, _ ports: [Int]) -> String
    /// Its arguments, for the configuration's path.
    var arguments: @Sendable (_ configurationPath: String) -> [String]

    static let all = [haproxy, nginx("nginx", buffers: true), nginx("nginx, unbuffered", buffers: false)]

    /// What waits for more than it gets ends after 0.4 s.
    private static let haproxy = Proxy(name: "HAProxy", path: "/usr/sbin/haproxy") { directory, ports in
        """
        global
            nbthread 1
        defaults
            mode http
            timeout connect 2s
            timeout server 2s
            timeout client 400ms
            timeout http-request 400ms
            timeout http-keep-alive 400ms
        frontend front
            # HTTP/2 from the client on is another protocol, and HAProxy's alone.
            option disable-h2-upgrade
            bind unix@\(directory)/socket
            default_backend back
        backend back
            balance roundrobin
            http-reuse always
            server a 127.0.0.1:\(ports[0])
            server b 127.0.0.1:\(ports[1])

        """
    } arguments: {
        ["-db", "-f", $0]
    }

    private static func nginx(_ name: String, buffers: Bool) -> Proxy {
        Proxy(name: name, path: "/usr/sbin/nginx") { directory, ports in
            """
            daemon off;
            worker_processes 1;
            pid \(directory)/pid;
            error_log stderr error;
            events { }
            http {
                access_log off;
                client_header_timeout 400ms;
                client_body_timeout 400ms;
                keepalive_timeout 400ms;
                lingering_timeout 400ms;
                client_body_temp_path \(directory)/body;
                proxy_temp_path \(directory)/proxy;
                fastcgi_temp_path \(directory)/fastcgi;
                uwsgi_temp_path \(directory)/uwsgi;
                scgi_temp_path \(directory)/scgi;
                upstream back { server 127.0.0.1:\(ports[0]); server 127.0.0.1:\(ports[1]); keepalive 4; }
                server {
                    listen unix:\(directory)/socket;
                    location / {
                        proxy_pass http://back;
                        proxy_http_version 1.1;
                        proxy_set_header Connection "";
                        proxy_request_buffering \(buffers ? "on" : "off");
                    }
                }
            }

            """
        } arguments: {
            ["-c", $0]
        }
    }
}

/// A proxy that runs before servers of its own.
final class RunningProxy {
    let proxy: Proxy
    let record = ProbeRecord()
    private let servers: [ProbeServer]
    private let directory: TemporaryDirectory
    private let process: ChildProcess

    init(_ proxy: Proxy, missesLengths: Bool = false) throws {
        self.proxy = proxy
        let record = record
        servers = try (0..<2).map { _ in try ProbeServer(missesLengths: missesLengths, record: record) }
        directory = try TemporaryDirectory()
        let configuration = proxy.configuration(directory.path, servers.map(\.port))
        let path = try directory.write(Array(configuration.utf8), to: "configuration")
        process = try ChildProcess(proxy.path, proxy.arguments(path), outputPath: "\(directory.path)/output")
        let socket = "\(directory.path)/socket"
        guard eventually({ (try? RawClient(path: socket)) != nil }) else {
            throw RawClientError.failed("connect to \(proxy.name)", errno: 0)
        }
    }

    deinit { for server in servers { server.stop() } }

    func client() throws -> RawClient { try RawClient(path: "\(directory.path)/socket") }
}
