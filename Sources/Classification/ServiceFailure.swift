import HTTP
import HTTPServer
import HTTPTypes
import Imaging

/// Why a request, or one of its images, gets no answer.
enum ServiceFailure: Error, Equatable, Sendable {
    case badParameter(name: String, reason: String)
    case emptyBody
    case badBody(reason: String)
    case tooManyImages(limit: Int)
    /// The request would hold more alone than all of them may.
    case tooLargeToHold(limit: Int)
    /// A tensor that the model does not take, or an output that it does not have.
    case badTensor(reason: String)
    case coding(ContentCoding.Fault)
    case image(ImageError)
    case unknownModel(name: String)
    case unknownVersion(model: String, version: Int)
    /// It is known, but does not answer; nil means no version of it.
    case notLoaded(model: String, version: Int?)
    /// The request names no model, and the one that is then meant has been unloaded.
    case defaultNotLoaded(model: String)
    /// What was to be loaded cannot be.
    case loadFailed(reason: String)
    /// No place in the queue for this many images.
    case queueFull(places: Int, retryAfterSeconds: Double)
    /// The images before these would take longer than `maxQueueWaitMilliseconds`.
    case waitTooLong(seconds: Double, retryAfterSeconds: Double)
    /// The deadline lies before the time at which the answer could be ready.
    case deadlineUnmeetable(microseconds: Int, retryAfterSeconds: Double)
    /// The deadline passed while the images waited.
    case deadlinePassed(microseconds: Int)
    case notReady(reason: String)
    /// No more changes of models are taken.
    case draining
    /// The model's weights lead to infinities for this image.
    case resultNotFinite
}

/// What metrics and logs call a refusal.
enum RejectionReason: String, CaseIterable {
    /// No place in the queue.
    case queueFull = "queue_full"
    /// What lies before would take too long.
    case queueWait = "queue_wait"
    /// Requests hold too many bytes.
    case heldBytes = "held_bytes"
    case deadline
    case draining
    case tooLarge = "too_large"
    case badImage = "bad_image"
    case disconnected

    /// Whether the service has refused what it could do at another time.
    var isOverload: Bool { [.queueFull, .queueWait, .heldBytes].contains(self) }
}

extension ServiceFailure {
    /// The one place that maps failures to what the outside sees.
    var presentation: (status: HTTPResponse.Status, title: String, reason: RejectionReason?) {
        switch self {
        case .badParameter: (.badRequest, "Bad parameter", nil)
        case .emptyBody: (.badRequest, "Empty body", nil)
        case .badBody: (.badRequest, "Malformed body", nil)
        case .tooManyImages: (.contentTooLarge, "Too many images", .tooLarge)
        case .tooLargeToHold: (.contentTooLarge, "Request too large", .tooLarge)
        case .badTensor: (.badRequest, "Bad tensor", nil)
        case .coding(let fault):
            switch fault {
            case .unknown: (.unsupportedMediaType, "Unsupported content coding", nil)
            case .damaged, .truncated, .trailingBytes: (.badRequest, "Malformed content coding", nil)
            case .tooLong: (.contentTooLarge, "Body too large", .tooLarge)
            case .noMemory: (.serviceUnavailable, "Overloaded", .heldBytes)
            }
        case .image(let error):
            switch error {
            case .unknownFormat: (.unsupportedMediaType, "Unsupported image format", .badImage)
            case .damaged, .unsupported: (.unprocessableContent, "Unreadable image", .badImage)
            case .tooManyPixels, .sideTooLong, .tooManyScans, .tooMuchMemory:
                (.contentTooLarge, "Image too large", .tooLarge)
            case .outOfMemory: (.serviceUnavailable, "Out of memory", nil)
            }
        case .unknownModel, .unknownVersion, .notLoaded, .defaultNotLoaded: (.notFound, "No such model", nil)
        case .loadFailed: (.unprocessableContent, "Model cannot be loaded", nil)
        case .queueFull: (.serviceUnavailable, "Overloaded", .queueFull)
        case .waitTooLong: (.serviceUnavailable, "Overloaded", .queueWait)
        case .deadlineUnmeetable: (.serviceUnavailable, "Deadline cannot be met", .deadline)
        case .deadlinePassed: (.gatewayTimeout, "Deadline passed", .deadline)
        case .notReady: (.serviceUnavailable, "Not ready", nil)
        case .draining: (.serviceUnavailable, "Not ready", .draining)
        case .resultNotFinite: (.internalServerError, "Result not finite", nil)
        }
    }

    /// Whether the others of the request's images may still have an answer.
    var concernsOneImage: Bool {
        switch self {
        case .image, .badTensor, .resultNotFinite: true
        default: false
        }
    }

    /// A sentence for whoever sent the request.
    var detail: String {
        switch self {
        case .badParameter(let name, let reason): "\(name): \(reason)"
        case .emptyBody: "the body is empty; send an image, a multipart form or JSON"
        case .badBody(let reason): reason
        case .tooManyImages(let limit): "more than the limit of \(limit) images a request"
        case .tooLargeToHold(let limit):
            "the request with what it is decoded to takes more than the limit of \(limit) bytes for all requests together"
        case .badTensor(let reason): reason
        case .coding(let fault): fault.description
        case .image(let error): error.description
        case .unknownModel(let name): "no model is called '\(name)'"
        case .unknownVersion(let model, let version): "model '\(model)' has no version \(version)"
        case .notLoaded(let model, nil): "model '\(model)' is not loaded"
        case .notLoaded(let model, let version?): "version \(version) of model '\(model)' is not loaded"
        case .defaultNotLoaded(let model): "the request names no model, and the default '\(model)' is not loaded"
        case .loadFailed(let reason): reason
        case .queueFull(let places, _):
            places == 1 ? "all places in the queue are taken" : "the queue has no room for \(places) more images"
        case .waitTooLong(let seconds, _):
            "what waits already would take \(Int((seconds * 1000).rounded(.up))) ms, longer than maxQueueWaitMilliseconds"
        case .deadlineUnmeetable(let microseconds, _):
            "the answer would not be ready within \(time(microseconds)) of the request's first byte"
        case .deadlinePassed(let microseconds): "\(time(microseconds)) passed before the image's turn came"
        case .notReady(let reason): reason
        case .draining: "draining"
        case .resultNotFinite: "the model's result for this image is not finite"
        }
    }

    /// For a body that is no image, and that a client that sends forms has made.
    private static let formHint =
        "; it was sent as a form: curl's -d takes line breaks out of files, --data-binary @FILE and -X POST -T FILE do not"

    private func time(_ microseconds: Int) -> String {
        microseconds % 1000 == 0 ? "\(microseconds / 1000) ms" : "\(microseconds) µs"
    }

    /// After how long a repetition makes sense, where that can be told. Units: seconds.
    var retryAfterSeconds: Double? {
        switch self {
        case .queueFull(_, let seconds), .waitTooLong(_, let seconds), .deadlineUnmeetable(_, let seconds): seconds
        case .notReady, .draining, .image(.outOfMemory), .coding(.noMemory): 1
        default: nil
        }
    }

    /// The whole answer, for a request that fails with this.
    ///
    /// - Parameter image: which of several images has failed.
    func response(to request: RequestReference, image: Int? = nil, stages: [Stage] = []) -> Response {
        let (status, title, reason) = presentation
        var text = image.map { "image \($0): \(detail)" } ?? detail
        if request.isImageInForm, reason == .badImage { text += Self.formHint }
        let (contentType, body) = serviceErrorBody(
            ErrorDescription(status: status, title: title, detail: text, requestID: request.id, path: request.path))
        var response = Response(status: status, contentType: contentType, body: body, stages: stages)
        response.reason = reason?.rawValue ?? recordWord(title)
        if case .coding(.unknown) = self { response.fields[.acceptEncoding] = ContentCoding.accepted }
        if let seconds = retryAfterSeconds {
            // Whole seconds, rounded up, at least one; the exact value beside it, once a batch has told it.
            response.fields[.retryAfter] = String(max(1, Int(seconds.rounded(.up))))
            if seconds > 0 {
                response.fields[.retryAfterMilliseconds] = String(Int((seconds * 1000).rounded(.up)))
            }
        }
        return response
    }
}

/// What an error's answer says of its request.
struct RequestReference: Sendable {
    var id: String
    var path: String
    /// Whether the body is taken for one image but is said to be the fields of a form, as curl says where it is told
    /// nothing, and lacks the bytes that curl takes out of those.
    var isImageInForm = false

    init(id: String, path: String) {
        self.id = id
        self.path = path
    }

    init(_ request: Request) {
        self.init(id: request.id, path: request.path)
        let type = request.fields[.contentType].flatMap { MediaType($0) }
        guard type?.essence == "application/x-www-form-urlencoded" else { return }
        // What curl has left out comes first: a file that is sent as it is has some in its first block, and is read no
        // further.
        let isStripped = !request.body.contains { $0 == 0 || $0 == 0x0A || $0 == 0x0D }
        if isStripped, case .raw? = try? ImageUpload(request) { isImageInForm = true }
    }
}

/// Whether a path is one of the Open Inference Protocol's.
func isProtocolPath(_ path: String) -> Bool { path == "/v2" || path.hasPrefix("/v2/") }

/// The bodies of errors: `{"error": "…"}` below `/v2`, which is what clients of the Open Inference Protocol read, and
/// problem details everywhere else.
let serviceErrorBody: ErrorBody = { error in
    guard isProtocolPath(error.path) else { return problemBody(error) }
    var json = JSONWriter()
    json.object { $0.value("error", error.detail) }
    return ("application/json", json.bytes)
}
