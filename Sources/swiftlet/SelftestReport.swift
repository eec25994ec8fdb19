import Classification
import Imaging

/// What a self-test has found.
struct SelftestReport: Encodable {
    struct Image: Encodable {
        let name: String
        /// The most probable class, with its label.
        let expected, found: String
        /// The most that a recorded logit is off; nil where it is not a number.
        let logitDifference: Float?
        let isRight: Bool
        var decodeMs = 0.0
        var resizeMs = 0.0
        var computeMs = 0.0
    }

    struct Check: Encodable {
        let name: String
        let pictures: Int
        let failures: Int
    }

    let model: String
    let version: Int
    let precision, isa: String
    let loadMs: Double
    /// Whether there was anything recorded to hold the model to.
    var hasGolden = false
    private(set) var images: [Image] = []
    private(set) var checks: [Check] = []
    private(set) var faults: [String] = []
    private(set) var isRight = true

    init(_ model: ClassifierModel, loadSeconds: Double) {
        self.model = model.name
        version = model.version
        precision = model.stored.description.precision.rawValue
        isa = model.plan.table.isa
        loadMs = Self.milliseconds(loadSeconds)
    }

    mutating func add(_ image: Image, _ prepared: PreparedImage, computeSeconds: Double) {
        var image = image
        image.decodeMs = Self.milliseconds(Double(prepared.durations.decodeNanoseconds) * 1e-9)
        image.resizeMs = Self.milliseconds(Double(prepared.durations.resizeNanoseconds) * 1e-9)
        image.computeMs = Self.milliseconds(computeSeconds)
        images.append(image)
        isRight = isRight && image.isRight
    }

    mutating func add(_ name: String, of pictures: Int, failures: Int) {
        checks.append(Check(name: name, pictures: pictures, failures: failures))
        isRight = isRight && failures == 0
    }

    mutating func fault(_ sentence: String) {
        faults.append(sentence)
        isRight = false
    }

    /// To the microsecond.
    private static func milliseconds(_ seconds: Double) -> Double { (seconds * 1e6).rounded() / 1000 }

    var text: String {
        var text =
            "\(model), version \(version), \(precision) on \(isa): loaded in \(NumberText.fixed(loadMs, 1)) ms\n"
        for fault in faults { text += "WRONG  \(LogValue.escaped(fault))\n" }
        if !images.isEmpty {
            var table = TextTable([
                ("", .left), ("IMAGE", .left), ("EXPECTED", .left), ("FOUND", .left), ("LOGITS OFF", .right),
                ("DECODE MS", .right), ("RESIZE MS", .right), ("COMPUTE MS", .right),
            ])
            for image in images {
                table.add([
                    image.isRight ? "right" : "WRONG", image.name, image.expected, image.found,
                    image.logitDifference.map { "\($0)" } ?? "no number", NumberText.fixed(image.decodeMs, 2),
                    NumberText.fixed(image.resizeMs, 2), NumberText.fixed(image.computeMs, 2),
                ])
            }
            text += table.text
        }
        for check in checks {
            text +=
                check.failures == 0
                ? "right  \(check.name): \(check.pictures) pictures\n"
                : "WRONG  \(check.name): not so of \(check.failures) of \(check.pictures) pictures\n"
        }
        if !hasGolden {
            text += "There is no \(GoldenImages.fileName) beside the model: whether it is right is not known.\n"
        }
        return text
    }
}
