import Classification

/// A table in plain text: a line of titles, then the rows, columns two spaces apart.
struct TextTable {
    enum Alignment { case left, right }

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) {
        titles = columns.map(\.title)
        alignments = columns.map(\.alignment)
    }

    /// - Precondition: a cell for each column.
    mutating func add(_ row: [String]) {
        precondition(row.count == titles.count, "\(row.count) cells for \(titles.count) columns")
        // No cell begins a line.
        rows.append(row.map { LogValue.escaped($0) })
    }

    /// The lines, each with its newline; without titles where all are empty.
    var text: String {
        let lines = titles.allSatisfy(\.isEmpty) ? rows : [titles] + rows
        let widths = titles.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for line in lines {
            var written = ""
            for (column, cell) in line.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                written += column == 0 ? "" : "  "
                written += alignments[column] == .left ? cell + space : space + cell
            }
            while written.last == " " { written.removeLast() }
            text += written + "\n"
        }
        return text
    }
}
