import Batching
import HTTPServer
import HTTPTypes
import Parallelism

/// What a request of `/v1` says beside its images.
struct ImageParameters: Equatable, Sendable {
    /// Nil where the request names none.
    var model: String?
    var version: Int?
    var topK: Int?
    /// Of how many classes a class-activation map is asked for, by `explain`; nil where for none.
    var mapCount: Int?
    /// `X-Request-Deadline-Ms`, counted from the request's first byte.
    var deadlineMilliseconds: Int?
    /// `X-Request-Priority`.
    var priority = Priority.usual

    /// What a parameter that is a number may be at most.
    static let largestNumber = 1_000_000_000

    static let priorityField = HTTPField.Name("X-Request-Priority")!
    static let deadlineField = HTTPField.Name("X-Request-Deadline-Ms")!

    /// - Parameter takesTopK: whether `top_k` and what explains predictions are among the route's parameters.
    /// - Throws: `badParameter` for a value that is no positive whole number, and for a parameter that does not exist
    ///   or stands twice.
    init(_ request: Request, takesTopK: Bool) throws(ServiceFailure) {
        for item in request.query {
            switch item.name {
            case "model" where model == nil: model = item.value
            case "version" where version == nil: version = try Self.positive(item.name, item.value)
            case "top_k" where takesTopK && topK == nil: topK = try Self.positive(item.name, item.value)
            case "explain" where takesTopK && mapCount == nil: mapCount = try Self.mapCount(item.value)
            case "model", "version": throw .badParameter(name: item.name, reason: "is given twice")
            case "top_k" where takesTopK, "explain" where takesTopK:
                throw .badParameter(name: item.name, reason: "is given twice")
            default:
                throw .badParameter(
                    name: item.name,
                    reason: "no such parameter; there are "
                        + (takesTopK ? "model, version, top_k and explain" : "model and version"))
            }
        }
        deadlineMilliseconds = try Self.deadlineMilliseconds(request)
        if let value = request.fields[Self.priorityField] {
            priority = Priority(requested: value == "0" ? 0 : try Self.positive("X-Request-Priority", value))
        }
    }

    /// Maps that one image may have. Five of Lite0's take a worker less time than the image, in int8 too, and are 8.4 KB
    /// of the answer.
    static let maximumMaps = 5

    /// What `explain` asks for: `cam`, or `cam:N`.
    private static func mapCount(_ text: String) throws(ServiceFailure) -> Int {
        if text == "cam" { return 1 }
        let digits = text.hasPrefix("cam:") ? text.dropFirst("cam:".count) : ""
        guard digits.utf8.count == 1, let count = Int(digits), (1...maximumMaps).contains(count) else {
            throw .badParameter(
                name: "explain", reason: "'\(text)' is not known; there is cam, and cam:1 to cam:\(maximumMaps)")
        }
        return count
    }

    /// What the field says that every inference route reads.
    static func deadlineMilliseconds(_ request: Request) throws(ServiceFailure) -> Int? {
        guard let value = request.fields[deadlineField] else { return nil }
        return try positive("X-Request-Deadline-Ms", value)
    }

    static func positive(_ name: String, _ text: String) throws(ServiceFailure) -> Int {
        guard let value = Int(text), value > 0, value <= largestNumber else {
            throw .badParameter(name: name, reason: "'\(text)' is not a positive whole number")
        }
        return value
    }
}
