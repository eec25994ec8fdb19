import Classification

/// Prints what a model says about images, one after the other.
struct ClassificationWriter {
    let format: ClassifyCommand.Format
    /// By class.
    let labels: [String]

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
            let start = "\(Self.quoted(file)),\(image.width),\(image.height)"
            return image.predictions.enumerated().map { rank, prediction in
                "\(start),\(rank + 1),\(prediction.index),\(Self.quoted(labels[prediction.index])),"
                    + "\(prediction.probability)\n"
            }.joined()
        }
    }

    /// Names and labels in CSV are data as they are, where no terminal shows them.
    func write(_ text: String) throws(StreamError) {
        let isData = format == .csv && !StandardStream.output.isTerminal
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

    /// Source: RFC 4180, section 2.
    static func quoted(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
