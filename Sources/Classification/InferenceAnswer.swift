import HTTPServer
import Inference

/// What a route makes of the results of its images.
protocol InferenceAnswer: Sendable {
    /// How many classes are wanted of each image.
    var topK: Int { get }
    /// Whether the logits are wanted, all of them.
    var wantsLogits: Bool { get }
    /// Whether the pooled features before the classifier are wanted.
    var wantsFeatures: Bool { get }
    /// Of how many of each image's likeliest classes a class-activation map is wanted.
    var mapCount: Int { get }
    /// Whether an image that cannot be read is one entry among several, or the request's failure.
    var allowsFailures: Bool { get }

    /// The answer, in the order of the images.
    ///
    /// - Throws: `badTensor` where a result cannot be said in the form asked for.
    func response(_ outcomes: [ImageOutcome], model: ClassifierModel) throws(ServiceFailure) -> Response
}

extension InferenceAnswer {
    var mapCount: Int { 0 }
}

/// What has come of one image.
enum ImageOutcome: Sendable {
    case result(ImageResult)
    case failure(ServiceFailure)
}

struct ImageResult: Sendable {
    /// The first `topK` classes.
    var predictions: [Prediction]
    /// Empty where nobody wants them, as `features` are.
    var logits: [Float]
    var features: [Float]
    /// Nil where nobody asks for it.
    var explanation: Explanation?
    /// Of the picture as it was sent. Units: pixels.
    var width: Int
    var height: Int
}

/// What a session has computed of one image.
struct ImageOutput: Sendable {
    var logits: [Float]
    /// Empty where nobody in the batch wants them.
    var features: [Float]
    /// Where maps are wanted of it.
    var headInput: HeadInput?
}
