import FoundationEssentials
import TestSupport
import Testing

/// Every probe through HAProxy and nginx: the proxy and the servers behind it must find the same requests in it.
///
/// `scripts/probe-proxies` installs the proxies and asks for this; it takes minutes and prints a table.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["PROBE_PROXIES"] != nil), .serialized)
struct ProxyProbeTests {
    @Test func noRequestIsSeenTwiceOrCutOtherwise() throws {
        let proxies = try Proxy.all.map { try RunningProxy($0) }
        var rows: [String] = []
        var tally: [[String: Int]] = proxies.map { _ in [:] }
        for (number, probe) in Probe.all.enumerated() {
            var cells = [pad(probe.name, 46), pad(statuses(probe.answers), 14)]
            for (index, proxy) in proxies.enumerated() {
                let outcome = try send(probe, byteByByte: false, through: proxy, number: number)
                // Each byte by itself where that takes no more than a moment.
                let isSame =
                    try probe.bytes.count > 2000
                    || send(probe, byteByByte: true, through: proxy, number: number).isSound
                cells.append(pad(outcome.text, 30))
                tally[index][outcome.isSound && isSame ? outcome.kind : "CUT OTHERWISE", default: 0] += 1
                #expect(outcome.isSound && isSame, "\(probe.name) through \(proxy.proxy.name): \(outcome.text)")
            }
            rows.append(cells.joined(separator: " "))
        }
        print(
            ([pad("probe", 46), pad("directly", 14)] + proxies.map { pad($0.proxy.name, 30) }).joined(separator: " "))
        for row in rows { print(row) }
        for (proxy, counts) in zip(proxies, tally) {
            let text = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            print("\(proxy.proxy.name): \(Probe.all.count) probes: \(text)")
            // Or else nothing could have been cut otherwise.
            let requestCount = Probe.all.count * Self.followerCount
            print("\(proxy.proxy.name): \(proxy.record.connectionCount) connections to the servers")
            #expect(proxy.record.connectionCount < requestCount / 2)
        }
    }

    /// The same with servers that read no body whose length is declared: that must show, or else nothing would.
    @Test func aBadServerIsFoundOut() throws {
        let probe = try #require(Probe.all.first { $0.name == "length: GET with a body" })
        for proxy in Proxy.all {
            let outcome = try send(
                probe, byteByByte: false, through: RunningProxy(proxy, missesLengths: true), number: 0)
            #expect(!outcome.isSound, "\(proxy.name): \(outcome.text)")
        }
    }

    private struct Outcome {
        var text: String
        /// Who has made of the probe what.
        var kind: String
        var isSound: Bool
    }

    /// Requests of another client behind each probe, enough to meet every connection that the proxy has kept.
    private static let followerCount = 6

    private func send(
        _ probe: Probe, byteByByte: Bool, through proxy: RunningProxy, number: Int
    ) throws -> Outcome {
        _ = proxy.record.take()
        let client = try proxy.client()
        let bytes = probe.bytes + Probe.after
        // A proxy that has refused the beginning need not read the rest.
        for piece in byteByByte ? bytes.map({ [$0] }) : [bytes] {
            guard (try? client.send(piece)) != nil else { break }
        }
        let answers = try client.receiveAnswers(expected: probe.answers)
        var complaints: [String] = []
        complaints += follow(proxy, number)
        let all = proxy.record.take()
        // What the servers did for the probe comes before what they did for the others.
        let seen = all.seen.filter { !$0.hasPrefix("GET /other/") }
        if all.seen.dropFirst(seen.count).elementsEqual(followers(number).map { "GET \($0) []" }) == false {
            complaints.append("seen \(all.seen)")
        }
        let relayed = answers.filter(\.isServers).map(\.text)
        let relayedRequests = relayed.filter { Int($0) == nil }
        // One answer for each request that a handler has seen, and in its order.
        let seenAnswers = seen.map { $0.hasPrefix("HEAD ") ? "HEAD" : $0 }
        if relayedRequests != seenAnswers { complaints.append("answered \(relayedRequests), seen \(seen)") }
        // Any other answer of the servers has been passed on, or was a refusal of what the proxy itself broke off.
        var unsent = all.statuses.filter { $0 != 200 }.map(String.init)
        for status in relayed where Int(status) != nil {
            if let index = unsent.firstIndex(of: status) {
                unsent.remove(at: index)
            } else {
                complaints.append("\(status) from nowhere")
            }
        }
        if unsent.contains(where: { $0 != "400" }) { complaints.append("not passed on: \(unsent)") }
        let texts = answers.map(\.text)
        let kind =
            texts == probe.answers && answers.allSatisfy(\.isServers)
            ? "answered as directly"
            : answers.contains { !$0.isServers } ? "refused by the proxy" : "changed by the proxy"
        return Outcome(
            text: complaints.isEmpty ? statuses(answers) : complaints.joined(separator: "; "), kind: kind,
            isSound: complaints.isEmpty)
    }

    /// Another client's requests, each of which must have its own answer.
    private func follow(_ proxy: RunningProxy, _ number: Int) -> [String] {
        do {
            let client = try proxy.client()
            return try followers(number).compactMap { path in
                let answer = try client.exchange("GET", path)
                return answer.status == 200 && answer.text == "GET \(path) []"
                    ? nil : "\(path) was answered \(answer.status) \(answer.text)"
            }
        } catch { return ["another client met \(error)"] }
    }

    private func followers(_ number: Int) -> [String] {
        (0..<Self.followerCount).map { "/other/\(number)-\($0)" }
    }

    private func statuses(_ answers: [String]) -> String {
        answers.map { Int($0) == nil ? "200" : $0 }.joined(separator: " ")
    }

    /// The statuses; those of the proxy itself in parentheses.
    private func statuses(_ answers: [ProbeAnswer]) -> String {
        if answers.isEmpty { return "closed" }
        return answers.map { $0.isServers ? statuses([$0.text]) : "(\($0.text))" }.joined(separator: " ")
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
