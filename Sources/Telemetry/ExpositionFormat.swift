/// How metrics are written for a scraper.
public enum ExpositionFormat: Sendable {
    /// Prometheus' text format 0.0.4.
    case prometheusText

    /// OpenMetrics 1.0.
    case openMetrics

    /// The value for `Content-Type`, without which Prometheus 3 refuses the page.
    public var contentType: String {
        switch self {
        case .prometheusText: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}

// MARK: - Choosing by Accept

extension ExpositionFormat {
    /// OpenMetrics where the `Accept` field names it (version 1.0.0, or none) with at least the weight of the text
    /// format; the text format for everybody else, whatever they accept.
    ///
    /// Source: RFC 9110 section 12.5.1.
    public init(accept: String?) {
        var openMetricsWeight = 0.0
        var textWeight = 0.0
        for entry in (accept ?? "").split(separator: ",") {
            let range = MediaRange(entry)
            switch range.type {
            case "application/openmetrics-text":
                let version = range.parameters["version"]
                if version == nil || version == "1.0.0" { openMetricsWeight = max(openMetricsWeight, range.weight) }
            case "text/plain":
                let version = range.parameters["version"]
                if version == nil || version == "0.0.4" { textWeight = max(textWeight, range.weight) }
            default:
                break
            }
        }
        self = openMetricsWeight > 0 && openMetricsWeight >= textWeight ? .openMetrics : .prometheusText
    }

    private struct MediaRange {
        var type: String
        var parameters: [String: String] = [:]
        /// From 0, not acceptable, to 1.
        var weight: Double

        init(_ text: Substring) {
            let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(Self.trim)
            type = parts[0].lowercased()
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1).map(Self.trim)
                guard pair.count == 2 else { continue }
                parameters[pair[0].lowercased()] = String(pair[1].filter { $0 != "\"" })
            }
            // A weight that is none refuses rather than asks.
            let weight = parameters["q"].map { Double($0) ?? 0 } ?? 1
            self.weight = (0...1).contains(weight) ? weight : 0
        }

        private static func trim(_ text: Substring) -> Substring {
            var text = text.drop { $0 == " " || $0 == "\t" }
            while let last = text.last, last == " " || last == "\t" { text.removeLast() }
            return text
        }
    }
}
