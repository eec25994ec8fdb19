/// Numbers as people read them.
enum NumberText {
    /// With `decimals` digits behind the point.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e15 else { return "\(value)" }  // and what is no number
        let digits = String(Int(scaled))
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let sign = value < 0 && scaled > 0 ? "-" : ""
        return sign + padded.dropLast(decimals) + (decimals > 0 ? "." + padded.suffix(decimals) : "")
    }

    /// 5,288,548
    static func grouped(_ value: Int) -> String {
        var text = ""
        for (place, digit) in String(value.magnitude).reversed().enumerated() {
            if place > 0 && place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + String(text.reversed())
    }

    /// 385.2 M
    static func millions(_ value: Int) -> String { fixed(Double(value) / 1e6, 1) + " M" }

    /// 12.3 MiB
    static func mebibytes(_ value: Int) -> String { fixed(Double(value) / 1_048_576, 1) + " MiB" }

    /// 90.4 %
    static func percent(_ share: Double, _ decimals: Int = 1) -> String { fixed(100 * share, decimals) + " %" }

    /// 3×224×224
    static func shape(_ dimensions: [Int]) -> String { dimensions.map(String.init).joined(separator: "×") }
}
