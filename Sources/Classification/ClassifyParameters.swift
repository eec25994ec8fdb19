import Batching
import HTTPServer
import HTTPTypes
import Parallelism

/// What a classify request says beside its images.
struct ClassifyParameters: Equatable, Sendable {
    /// Nil where the request names none.
    var model: String?
    var version: Int?
    var topK: Int?
    /// `X-Request-Deadline-Ms`, counted from the request's first byte.
    var deadlineMilliseconds: Int?
    /// `X-Request-Priority`.
    var priority = Priority.usual

    static let deadlineField = HTTPField.Name("X-Request-Deadline-Ms")!
    static let priorityField = HTTPField.Name("X-Request-Priority")!

    /// - Throws: `badParameter` for a value that is no positive whole number, and for a parameter that does not exist
    ///   or stands twice.
    init(_ request: Request) throws(ServiceFailure) {
        for item in request.query {
            switch item.name {
            case "model" where model == nil: model = item.value
            case "version" where version == nil: version = try Self.positive(item.name, item.value)
            case "top_k" where topK == nil: topK = try Self.positive(item.name, item.value)
            case "model", "version", "top_k": throw .badParameter(name: item.name, reason: "is given twice")
            default:
                throw .badParameter(
                    name: item.name, reason: "no such parameter; there are model, version and top_k")
            }
        }
        if let value = request.fields[Self.deadlineField] {
            deadlineMilliseconds = try Self.positive("X-Request-Deadline-Ms", value)
        }
        if let value = request.fields[Self.priorityField] {
            priority = Priority(requested: value == "0" ? 0 : try Self.positive("X-Request-Priority", value))
        }
    }

    private static func positive(_ name: String, _ text: String) throws(ServiceFailure) -> Int {
        guard let value = Int(text), value > 0, value <= 1_000_000_000 else {
            throw .badParameter(name: name, reason: "'\(text)' is not a positive whole number")
        }
        return value
    }
}
