import Classification

/// Prints what a model says about images, one after the other.
struct ClassificationWriter {
    let format: ClassifyCommand.Format
    /// By class.
    let labels: [String]
    /// Whether a terminal shows it. Elsewhere names and labels in CSV are data as they are.
    var isShown = StandardStream.output.isTerminal

    /// What comes before the first image.
    var head: String { format == .csv ? "file,width,height,rank,index,label,probability\n" : "" }

    /// One image's line or lines.
    func text(file: String, _ image: ClassifiedImage) throws -> String {
        switch format {
        case .table: return table(file, image)
        case .json:
            return try JSONText.line(
                Line(
                    file: file, width: image.width, height: image.height,
                    predictions: image.predictions.map {
                        Line.Prediction(index: $0.index, label: labels[$0.index], probability: $0.probability)
                    }))
        case .csv:
            let start = "\(field(file)),\(image.width),\(image.height)"
            return image.predictions.enumerated().map { rank, prediction in
                "\(start),\(rank + 1),\(prediction.index),\(field(labels[prediction.index])),"
                    + "\(prediction.probability)\n"
            }.joined()
        }
    }

    func write(_ text: String) throws(StreamError) {
        let isData = format == .csv && !isShown
        try isData ? StandardStream.output.writeExactly(text) : StandardStream.output.write(text)
    }

    private struct Line: Encodable {
        struct Prediction: Encodable {
            let index: Int
            let label: String
            let probability: Float
        }

        let file: String
        let width, height: Int
        let predictions: [Prediction]
    }

    private func table(_ file: String, _ image: ClassifiedImage) -> String {
        var table = TextTable([("", .right), ("", .right), ("", .left)])
        for prediction in image.predictions {
            let share = NumberText.percent(Double(prediction.probability))
            table.add(["  " + share, "\(prediction.index)", labels[prediction.index]])
        }
        return "\(LogValue.escaped(file))  \(image.width)×\(image.height)\n" + table.text
    }

    /// A field of CSV; on a terminal none begins a line.
    private func field(_ text: String) -> String { Self.quoted(isShown ? LogValue.escaped(text) : text) }

    /// Source: RFC 4180, section 2.
    static func quoted(_ text: String) -> String {
        // Scalars, as readers see them: a character may be a comma with an accent on it.
        guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" { quoted.unicodeScalars.append(scalar) }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
