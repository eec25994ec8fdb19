import Checkpoints
import Dispatch
import FoundationEssentials
import HTTP
import HTTPServer

// The model repository extension of the Open Inference Protocol.

extension Routes {
    static let repositoryIndex = "/v2/repository/index"
    static let loadModel = "/v2/repository/models/{name}/load"
    static let unloadModel = "/v2/repository/models/{name}/unload"

    static func addRepository(to router: inout Router, _ models: LiveModels) {
        // Looking at a directory and reading JSON are nothing for an event loop; one thread is enough for them.
        let queue = DispatchQueue(label: "swiftlet.repository", qos: .utility)
        func add(_ path: String, _ handler: @escaping @Sendable (Request, Responder) throws(ServiceFailure) -> Void) {
            router.add(.post, path, access: .admin, maximumBodyBytes: RepositoryBody.maximumBytes) {
                request, responder in
                queue.async {
                    do throws(ServiceFailure) { try handler(request, responder) } catch {
                        models.context.refuse(error, request, responder, nil)
                    }
                }
            }
        }
        add(repositoryIndex) { request, responder throws(ServiceFailure) in
            let body = try RepositoryBody(request.body, knows: ["ready"])
            responder.respond(
                Response(contentType: "application/json", body: try models.index(onlyReady: body.ready ?? false)))
        }
        add(loadModel) { request, responder throws(ServiceFailure) in
            let body = try RepositoryBody(request.body, knows: ["parameters"])
            if let name = body.parameters.first {
                throw .badParameter(
                    name: "parameters.\(name)", reason: "models are configured and stored in the repository alone")
            }
            models.request(.load(request.parameters["name"] ?? ""), models.context.answering(request, responder))
        }
        add(unloadModel) { request, responder throws(ServiceFailure) in
            let body = try RepositoryBody(request.body, knows: ["parameters"])
            // No model depends on another: whether dependents go, too, makes no difference.
            if let name = body.parameters.first(where: { $0 != "unload_dependents" }) {
                throw .badParameter(name: "parameters.\(name)", reason: "no such parameter; there is unload_dependents")
            }
            guard body.parameters.isEmpty || body.unloadsDependents != nil else {
                throw .badParameter(name: "parameters.unload_dependents", reason: "is no boolean")
            }
            models.request(.unload(request.parameters["name"] ?? ""), models.context.answering(request, responder))
        }
    }

}

extension ServiceContext {
    fileprivate func answering(_ request: Request, _ responder: Responder) -> LiveModels.Waiter {
        { failure in
            if let failure { self.refuse(failure, request, responder, nil) } else { responder.respond(Response()) }
        }
    }
}

extension LiveModels {
    /// Every version that lies in the repository or is loaded, as JSON.
    fileprivate func index(onlyReady: Bool) throws(ServiceFailure) -> [UInt8] {
        guard let repository else { throw .notReady(reason: "loading") }
        var statuses = context.catalogue.statuses
        if onlyReady {
            statuses.removeAll { $0.state != .ready }
        } else {
            let entries: [ModelRepository.Entry]
            do throws(CheckpointError) { entries = try repository.entries() } catch {
                throw .loadFailed(reason: "\(error)")
            }
            let known = Set(statuses.map { "\($0.name)/\($0.version)" })
            statuses += entries.filter { !known.contains("\($0.name)/\($0.version)") }.map {
                ModelStatus(name: $0.name, version: $0.version, state: .unavailable, reason: "not loaded")
            }
            statuses.sort { ($0.name, $0.version) < ($1.name, $1.version) }
        }
        var json = JSONWriter()
        json.array {
            for status in statuses {
                $0.object {
                    $0.value("name", status.name)
                    $0.value("version", String(status.version))
                    $0.value("state", status.state.rawValue)
                    $0.value("reason", status.reason)
                }
            }
        }
        return json.bytes
    }
}

/// The body of a request about the repository: nothing, or a small JSON object.
private struct RepositoryBody {
    private(set) var ready: Bool?
    /// The names of the parameters.
    private(set) var parameters: [String] = []
    /// Nil where it is left out, or no boolean.
    private(set) var unloadsDependents: Bool?

    static let maximumBytes = 64 << 10

    /// - Throws: `badBody`.
    init(_ body: [UInt8], knows keys: Set<String>) throws(ServiceFailure) {
        guard !body.isEmpty else { return }
        let object: Object
        do { object = try JSONDecoder().decode(Object.self, from: Data(body)) } catch {
            throw .badBody(reason: "the body is no JSON object of \(keys.sorted().joined(separator: ", "))")
        }
        if let key = object.keys.sorted().first(where: { !keys.contains($0) }) {
            throw .badBody(
                reason: "the body has '\(key)', and may have \(keys.sorted().joined(separator: ", ")) alone")
        }
        ready = object.ready
        parameters = object.parameters
        unloadsDependents = object.unloadsDependents
    }

    private struct Object: Decodable {
        var keys: [String]
        var ready: Bool?
        var parameters: [String] = []
        var unloadsDependents: Bool?

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: MemberName.self)
            keys = container.allKeys.map(\.stringValue)
            ready = try container.decodeIfPresent(Bool.self, forKey: MemberName(stringValue: "ready"))
            let parametersKey = MemberName(stringValue: "parameters")
            if container.contains(parametersKey), try !container.decodeNil(forKey: parametersKey) {
                let nested = try container.nestedContainer(keyedBy: MemberName.self, forKey: parametersKey)
                parameters = nested.allKeys.map(\.stringValue).sorted()
                unloadsDependents = try? nested.decode(Bool.self, forKey: MemberName(stringValue: "unload_dependents"))
            }
        }
    }
}
