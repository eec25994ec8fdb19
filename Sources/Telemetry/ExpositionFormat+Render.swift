extension ExpositionFormat {
    /// Writes the families out. One without series has nothing to say and is left out.
    ///
    /// Source: prometheus.io/docs/instrumenting/exposition_formats; OpenMetrics 1.0.
    func render(_ families: [FamilySnapshot]) -> String {
        var page = ""
        for family in families where !family.series.isEmpty {
            renderHead(of: family, into: &page)
            for series in family.series { render(series, of: family, into: &page) }
        }
        if self == .openMetrics { page += "# EOF\n" }
        return page
    }

    private func renderHead(of family: FamilySnapshot, into page: inout String) {
        let name = self == .openMetrics ? String(family.baseName) : family.name
        // Help in the text format escapes no quotes.
        let help = escape(family.help, quotes: self == .openMetrics)
        page += "# HELP \(name) \(help)\n# TYPE \(name) \(family.kind.rawValue)\n"
        if self == .openMetrics, let unit = family.unit { page += "# UNIT \(name) \(unit)\n" }
    }

    private func render(_ series: FamilySnapshot.Series, of family: FamilySnapshot, into page: inout String) {
        let labels = zip(family.labelNames, series.labelValues).map { name, value in
            "\(name)=\"\(escape(value, quotes: true))\""
        }
        func sample(_ suffix: String, _ more: [String], _ value: String, _ exemplar: Exemplar? = nil) {
            let all = labels + more
            page += family.name + suffix
            if !all.isEmpty { page += "{" + all.joined(separator: ",") + "}" }
            page += " " + value
            // The text format has none.
            if self == .openMetrics, let exemplar { page += " # " + text(of: exemplar) }
            page += "\n"
        }
        switch series.value {
        case .number(let value):
            sample("", [], text(of: value))
        case .histogram(let bounds, let counts, let sum, let exemplars):
            // The count is made of the buckets, so that it equals the last of them during updates too.
            var cumulative = 0
            for (index, bound) in bounds.enumerated() {
                cumulative += counts[index]
                sample("_bucket", ["le=\"\(bound)\""], "\(cumulative)", exemplars.isEmpty ? nil : exemplars[index])
            }
            cumulative += counts.last ?? 0
            sample("_bucket", ["le=\"+Inf\""], "\(cumulative)", exemplars.last ?? nil)
            sample("_sum", [], text(of: sum))
            sample("_count", [], "\(cumulative)")
        }
    }
}

/// Labels, value and time. The labels have 63 of the 128 characters that are allowed.
private func text(of exemplar: Exemplar) -> String {
    let milliseconds = (exemplar.unixSeconds * 1000).rounded() / 1000
    return "{trace_id=\"\(exemplar.traceID)\",span_id=\"\(exemplar.spanID)\"} \(text(of: exemplar.value)) "
        + text(of: milliseconds)
}

/// Whole numbers without a fraction, the others with as many digits as tell them apart.
private func text(of value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if let whole = Int64(exactly: value), abs(value) < 0x1p53 { return String(whole) }
    return value.description
}

private func escape(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": escaped += "\\\\"
        case "\n": escaped += "\\n"
        case "\"" where quotes: escaped += "\\\""
        default: escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}
