import Batching
import HTTPServer
import HTTPTypes
import Imaging
import OpenInference

extension ServiceContext {
    static let headerLengthField = HTTPField.Name("Inference-Header-Content-Length")!

    /// JSON up to this length is read on the event loop: it takes some microseconds. Units: bytes.
    private static let shortJSONBytes = 4096

    func infer(_ request: Request, _ responder: Responder) {
        var runner: ModelRunner?
        do throws(ServiceFailure) {
            let found = try self.runner(of: request)
            runner = found
            let headerLength = try Self.headerLength(request)
            guard headerLength ?? request.body.count > Self.shortJSONBytes else {
                return try infer(request, headerLength: headerLength, found, responder)
            }
            let schedule = InferenceSchedule(
                deadlineMicroseconds: deadlineMicroseconds(
                    milliseconds: try ImageParameters.deadlineMilliseconds(request)))
            onWorker(request, responder, found, schedule, cost: headerLength ?? request.body.count) {
                (request) throws(ServiceFailure) in
                try self.infer(request, headerLength: headerLength, found, responder)
            }
        } catch { refuse(error, request, responder, runner) }
    }

    private static func headerLength(_ request: Request) throws(ServiceFailure) -> Int? {
        guard let text = request.fields[headerLengthField] else { return nil }
        do throws(OpenInferenceError) {
            return try InferRequest.headerLength(text, bodyBytes: request.body.count)
        } catch { throw ServiceFailure(error) }
    }

    private func infer(
        _ request: Request, headerLength: Int?, _ runner: ModelRunner, _ responder: Responder
    ) throws(ServiceFailure) {
        let start = clock.now()
        if headerLength == 0, request.body.isEmpty { throw .emptyBody }
        let inference: InferRequest
        do throws(OpenInferenceError) {
            inference = try InferRequest(
                body: request.body, headerLength: headerLength, rawInputName: V2Tensor.input,
                hold: { responder.hold($0) })
        } catch {
            if case .noMemory(let bytes) = error { throw noRoom(bytes, responder) }
            guard headerLength == nil, case .malformedJSON = error, Self.isImage(request.body) else {
                throw ServiceFailure(error)
            }
            throw .badBody(
                reason: "\(error); a body that is one image needs the field 'Inference-Header-Content-Length: 0'")
        }
        let answer = try V2Answer(inference, model: runner.model)
        let images = try inference.images(planarShape: runner.model.planarShape, limit: imageLimit)
        if headerLength == nil { try Self.refuseText(images) }
        let asked = deadlineMicroseconds(milliseconds: try ImageParameters.deadlineMilliseconds(request))
        let schedule = InferenceSchedule(
            deadlineMicroseconds: [asked, inference.timeoutMicroseconds].compactMap(\.self).min(),
            priority: Priority(requested: inference.priority),
            readNanoseconds: clock.now().nanoseconds(since: start))
        try begin(images, request, schedule, answer, runner, responder)
    }

    /// Whether bytes look like a picture that can be read, damaged or not.
    private static func isImage(_ bytes: [UInt8]) -> Bool {
        do throws(ImageError) { try ImageFormat.recognise(bytes.span) } catch { return false }
        return true
    }

    /// Says how pictures are sent where they came in JSON and are none: what was meant is mostly base64.
    /// - Throws: `image`.
    private static func refuseText(_ images: [InferenceInput]) throws(ServiceFailure) {
        for case .encoded(let image) in images {
            do throws(ImageError) {
                _ = try image.withBytes { (bytes) throws(ImageError) in try ImageFormat.recognise(bytes) }
            } catch {
                guard case .unknownFormat(let found) = error else { continue }
                throw .image(
                    .unknownFormat(
                        found: "\(found); BYTES in JSON are text, so images go as binary data (binary_data_size)"))
            }
        }
    }
}

extension ServiceFailure {
    init(_ error: OpenInferenceError) {
        self = .badBody(reason: error.description)
    }
}
