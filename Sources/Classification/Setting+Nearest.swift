extension Setting {
    /// The setting that whoever wrote `name` may have meant: by the same words, or with a slip or two.
    static func nearest(to name: String) -> Setting? {
        let meant = letters(name)
        // In a short name a slip changes more.
        let most = min(2, meant.count / 3)
        let distances = all.map { (setting: $0, distance: distance(meant, letters($0.key))) }
        return distances.filter { $0.distance <= most }.min { $0.distance < $1.distance }?.setting
    }

    /// Whichever way words are joined.
    private static func letters(_ name: String) -> [Character] {
        name.lowercased().filter { $0 != "-" && $0 != "_" && $0 != " " }
    }

    /// Letters to add, leave out, replace or swap with the next.
    ///
    /// Source: the optimal string alignment distance.
    private static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 1..<a.count + 1 {
            var row = [i]
            for j in 1..<b.count + 1 {
                let replaced = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                var least = min(rows[i - 1][j] + 1, row[j - 1] + 1, replaced)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    least = min(least, rows[i - 2][j - 2] + 1)
                }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
