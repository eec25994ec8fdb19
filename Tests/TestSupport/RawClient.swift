#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What went wrong on the client's side of a test.
public enum RawClientError: Error, Equatable {
    case failed(String, errno: Int32)
    case timedOut
    case endOfStream(after: String)
    case malformed(String)
}

/// An answer, taken apart with none of the code under test.
public struct RawResponse: Sendable, Equatable {
    public var status: Int
    /// Names in lower case.
    public var fields: [(name: String, value: String)]
    public var body: [UInt8]

    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The only field of that name, or nil.
    public subscript(name: String) -> String? {
        let values = fields.filter { $0.name == name }
        return values.count == 1 ? values[0].value : nil
    }

    public static func == (a: RawResponse, b: RawResponse) -> Bool {
        a.status == b.status && a.body == b.body && a.fields.map(\.name) == b.fields.map(\.name)
            && a.fields.map(\.value) == b.fields.map(\.value)
    }
}

/// A blocking client on loopback that sends any bytes; every wait ends after ten seconds.
public final class RawClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private(set) var layer: TLSLayer?

    public init(port: Int) throws {
        #if canImport(Glibc)
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        Self.limitWaits(of: descriptor)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw RawClientError.failed("connect", errno: errno) }
    }

    /// Connects to a socket in the file system.
    public init(path: String) throws {
        #if canImport(Glibc)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
        descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        Self.limitWaits(of: descriptor)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw RawClientError.failed("connect", errno: errno) }
    }

    deinit { close(descriptor) }

    private static func limitWaits(of descriptor: Int32) {
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// - Parameter pieceBytes: how much is handed to the kernel at once, after TLS.
    public func send(_ bytes: [UInt8], pieceBytes: Int = .max) throws {
        var bytes = bytes
        if let layer {
            try layer.encrypt(bytes)
            bytes = layer.takeOutput()
        }
        guard pieceBytes < bytes.count else { return try sendRaw(bytes) }
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            try sendRaw(Array(bytes[start..<min(bytes.count, start + pieceBytes)]))
        }
    }

    /// Speaks TLS from here on.
    public func startTLS(_ options: TLSClientOptions = TLSClientOptions(), pieceBytes: Int = .max) throws {
        layer = TLSLayer(options)
        try completeHandshake(pieceBytes: pieceBytes)
    }

    func completeHandshake(pieceBytes: Int = .max) throws {
        guard let layer else { return }
        while true {
            // An alert of ours goes out, too.
            let result = Result { try layer.shakeHands() }
            let output = layer.takeOutput()
            for start in stride(from: 0, to: output.count, by: min(pieceBytes, max(1, output.count))) {
                try sendRaw(Array(output[start..<min(output.count, start + min(pieceBytes, output.count))]))
            }
            if try result.get() { return }
            guard let bytes = try receiveRaw() else { throw RawClientError.endOfStream(after: "") }
            layer.feed(bytes)
        }
    }

    /// Sends bytes past TLS.
    public func sendRaw(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                #if canImport(Glibc)
                Glibc.send(descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
                #else
                Musl.send(descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
                #endif
            }
            guard count > 0 else { throw RawClientError.failed("send", errno: errno) }
            offset += count
        }
    }

    /// Sends a request, with the length of its body where it has one, and gives the answer.
    public func exchange(
        _ method: String, _ target: String, fields: [(name: String, value: String)] = [], body: [UInt8]? = nil
    ) throws -> RawResponse {
        try send(method, target, fields: fields, body: body)
        return try receive(toHead: method == "HEAD")
    }

    /// Sends a request, with the length of its body where it has one.
    public func send(
        _ method: String, _ target: String, fields: [(name: String, value: String)] = [], body: [UInt8]? = nil
    ) throws {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        try send(Array("\(head)\r\n".utf8) + (body ?? []))
    }

    /// Has the connection end by a reset when this is let go.
    public func resetAtEnd() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// Ends the sending side.
    public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next answer. Interim ones are answers, too.
    public func receive(toHead: Bool = false) throws -> RawResponse {
        while true {
            if let response = try takeResponse(toHead: toHead) { return response }
            guard try fill() else {
                throw RawClientError.endOfStream(after: String(decoding: buffer, as: UTF8.self))
            }
        }
    }

    /// Whether the server ends the connection without a further byte.
    public func receivesEnd() throws -> Bool {
        guard buffer.isEmpty else { return false }
        do {
            return try !fill()
        } catch RawClientError.failed("receive", errno: ECONNRESET) {
            return true
        }
    }

    /// Reads what has arrived behind the first `offset` bytes of `bytes`, past all that `receive()` does.
    ///
    /// - Returns: how many bytes were read.
    public func receive(into bytes: inout [UInt8], from offset: Int) throws -> Int {
        precondition(offset < bytes.count, "no room is left")
        let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + offset, $0.count - offset, 0) }
        if count < 0 { throw errno == EAGAIN ? RawClientError.timedOut : .failed("receive", errno: errno) }
        if count == 0 { throw RawClientError.endOfStream(after: "") }
        return count
    }

    /// - Returns: false at the end of the stream.
    private func fill() throws -> Bool {
        guard let layer else {
            guard let bytes = try receiveRaw() else { return false }
            buffer.append(contentsOf: bytes)
            return true
        }
        while true {
            let bytes = try layer.decrypt()
            buffer.append(contentsOf: bytes)
            if !bytes.isEmpty { return true }
            if receivedCloseNotify { return false }
            guard let received = try receiveRaw() else { return false }
            layer.feed(received)
        }
    }

    /// What has arrived, at most 64 KiB, past TLS; nil at the end of the stream.
    private func receiveRaw() throws -> ArraySlice<UInt8>? {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count < 0 { throw errno == EAGAIN ? RawClientError.timedOut : .failed("receive", errno: errno) }
        return count == 0 ? nil : chunk[..<count]
    }

    private func takeResponse(toHead: Bool) throws -> RawResponse? {
        guard
            let end = (0..<max(0, buffer.count - 3)).first(where: { buffer[$0..<$0 + 4].elementsEqual("\r\n\r\n".utf8) }
            )
        else { return nil }
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        let lines = head.split(separator: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw RawClientError.malformed(head)
        }
        var response = RawResponse(status: status, fields: [], body: [])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw RawClientError.malformed(String(line)) }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            response.fields.append((line[..<colon].lowercased(), String(value)))
        }
        // What they tell is the length of another answer. Source: RFC 9110 §8.6.
        let length = toHead || response.status == 304 ? 0 : Int(response["content-length"] ?? "0") ?? 0
        let bodyStart = end + 4
        guard buffer.count >= bodyStart + length else { return nil }
        response.body = Array(buffer[bodyStart..<bodyStart + length])
        buffer.removeFirst(bodyStart + length)
        return response
    }
}
