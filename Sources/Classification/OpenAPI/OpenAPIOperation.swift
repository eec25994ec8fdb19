/// What there is to say of a route beside its path, its method and its errors.
struct OpenAPIOperation: Sendable {
    var id: String
    var summary: String
    var tag: String
    var parameters: [Parameter] = []
    /// A request body object.
    var body: String?
    /// What is no error: each with its response object.
    var answers: [(code: Int, response: String)]

    /// By their names in the document's components.
    enum Parameter: String, CaseIterable {
        case topK = "top_k"
        case explain
        case model
        case version
        case deadline
        case priority
        case headerLength = "header-length"
        case knownTag = "if-none-match"
        case pathName = "path-name"
        case pathModel = "path-model"
        case pathVersion = "path-version"
    }

    /// By the label of the route.
    static let all: [String: OpenAPIOperation] = [
        Routes.page: OpenAPIOperation(
            id: "page", summary: "A page to try images in a browser", tag: "images", parameters: [.knownTag],
            answers: [(200, page), (304, notModified)]),
        Routes.classify: OpenAPIOperation(
            id: "classify", summary: "The likeliest classes of images", tag: "images",
            parameters: [.topK, .explain, .model, .version, .deadline, .priority], body: imageBody,
            answers: [(200, answerOfModel("Classification"))]),
        Routes.embed: OpenAPIOperation(
            id: "embed", summary: "The features of images, to compare them with each other", tag: "images",
            parameters: [.model, .version, .deadline, .priority], body: imageBody,
            answers: [(200, answerOfModel("Embedding"))]),
        Routes.models: OpenAPIOperation(
            id: "listModels", summary: "All models and versions, and how they are", tag: "models",
            answers: [(200, answer("ModelList"))]),
        Routes.model: OpenAPIOperation(
            id: "describeModel", summary: "All versions of a model", tag: "models",
            answers: [(200, answer("ModelVersions"))]),
        Routes.live: OpenAPIOperation(
            id: "live", summary: "Whether the process answers", tag: "health", answers: [(200, text)]),
        Routes.ready: OpenAPIOperation(
            id: "ready", summary: "Whether requests should be sent here", tag: "health", answers: [(200, text)]),
        Routes.metrics: OpenAPIOperation(
            id: "metrics", summary: "Counters, gauges and histograms for Prometheus", tag: "health",
            answers: [(200, metrics)]),
        Routes.description: OpenAPIOperation(
            id: "openapi", summary: "This description", tag: "health", parameters: [.knownTag],
            answers: [(200, description), (304, notModified)]),
        V2Routes.server: OpenAPIOperation(
            id: "v2Server", summary: "Name, version and extensions of the server", tag: "v2",
            answers: [(200, answer("V2Server"))]),
        V2Routes.live: OpenAPIOperation(
            id: "v2Live", summary: "Whether the process answers", tag: "v2", answers: [(200, nothing)]),
        V2Routes.ready: OpenAPIOperation(
            id: "v2Ready", summary: "Whether requests should be sent here", tag: "v2", answers: [(200, nothing)]),
        V2Routes.model: OpenAPIOperation(
            id: "v2Model", summary: "Inputs and outputs of a model", tag: "v2", answers: [(200, answer("V2Model"))]),
        V2Routes.modelReady: OpenAPIOperation(
            id: "v2ModelReady", summary: "Whether a model answers", tag: "v2", answers: [(200, nothing)]),
        V2Routes.config: OpenAPIOperation(
            id: "v2Configuration", summary: "A model's configuration in Triton's words", tag: "v2",
            answers: [(200, answer("V2Configuration"))]),
        V2Routes.statistics: OpenAPIOperation(
            id: "v2Statistics", summary: "What a model has done since it was loaded", tag: "v2",
            answers: [(200, answer("V2Statistics"))]),
        V2Routes.allStatistics: OpenAPIOperation(
            id: "v2AllStatistics", summary: "What all models have done since they were loaded", tag: "v2",
            answers: [(200, answer("V2Statistics"))]),
        V2Routes.infer: OpenAPIOperation(
            id: "v2Infer", summary: "Inference", tag: "v2", parameters: [.headerLength, .deadline],
            body: inferBody, answers: [(200, inferAnswer)]),
        Routes.batches: OpenAPIOperation(
            id: "batches", summary: "The last batches of each model that answers, the latest first",
            tag: "administration", answers: [(200, answer("BatchList"))]),
        Routes.repositoryIndex: OpenAPIOperation(
            id: "repositoryIndex", summary: "Every version that lies in the repository or is loaded",
            tag: "administration", body: repositoryBody("RepositoryIndexRequest"),
            answers: [(200, answer("RepositoryIndex"))]),
        Routes.loadModel: OpenAPIOperation(
            id: "loadModel", summary: "Reads a model's versions anew", tag: "administration",
            body: repositoryBody("LoadRequest"), answers: [(200, nothing)]),
        Routes.unloadModel: OpenAPIOperation(
            id: "unloadModel", summary: "Has no version of a model answer any more", tag: "administration",
            body: repositoryBody("UnloadRequest"), answers: [(200, nothing)]),
    ]
}
