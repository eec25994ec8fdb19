import EfficientNet

/// What model.json says: which network the weights beside it are for, and which pictures it wants.
///
/// Keys are snake_case; an unknown or missing key, a wrong type or an impossible value is an error that names the key.
public struct ModelDescription: Equatable, Sendable {
    /// How pixels are interpolated when a picture is resized.
    public enum Filter: String, CaseIterable, Sendable { case bilinear, bicubic }

    /// What the network computes in.
    public enum Precision: String, CaseIterable, Sendable { case fp32, int8 }

    /// `architecture`: a name that `Architecture(named:)` takes.
    public var architecture: String
    /// `dialect`, optional: whose names the weights carry. It is recognised; where it is given it must be right. Weights in
    /// int8 carry names of their own.
    public var dialect: Dialect?
    /// `padding`, optional: where it is not what dialect and name give.
    public var padding: Padding?
    /// `batch_norm_epsilon`, optional: where it is not what dialect and name give.
    public var batchNormEpsilon: Float?
    /// `input_size`: height and width that the network gets. Units: pixels.
    public var inputSize: Int
    /// `resize`: what the picture's shorter side becomes. Units: pixels.
    public var resize: Int
    /// `crop`: height and width of the square cut from the middle, the input size. Units: pixels.
    public var crop: Int
    /// `filter`
    public var filter: Filter
    /// `mean`: taken from red, green and blue. Units: full scale is 1.
    public var mean: [Float]
    /// `std`: what the difference is divided by. Units: full scale is 1.
    public var standardDeviation: [Float]
    /// `precision`
    public var precision: Precision
    /// `weights`, optional: the name of a safetensors file beside model.json.
    public var weights: String
    /// `labels`, optional: the name of a file beside model.json with a class name a line.
    public var labels: String?
    /// `licence`, optional: of the weights, as SPDX names it.
    public var licence: String?
    /// `description`, optional: a sentence for people.
    public var summary: String?

    /// - Precondition: `mean` and `standardDeviation` have three values each.
    public init(
        architecture: String, dialect: Dialect? = nil, padding: Padding? = nil, batchNormEpsilon: Float? = nil,
        inputSize: Int, resize: Int, filter: Filter, mean: [Float], standardDeviation: [Float],
        precision: Precision = .fp32, weights: String = defaultWeights, labels: String? = nil, licence: String? = nil,
        summary: String? = nil
    ) {
        precondition(mean.count == 3 && standardDeviation.count == 3, "mean and std of red, green and blue")
        self.architecture = architecture
        self.dialect = dialect
        self.padding = padding
        self.batchNormEpsilon = batchNormEpsilon
        self.inputSize = inputSize
        self.resize = resize
        crop = inputSize
        self.filter = filter
        self.mean = mean
        self.standardDeviation = standardDeviation
        self.precision = precision
        self.weights = weights
        self.labels = labels
        self.licence = licence
        self.summary = summary
    }

    /// The weights' file where `weights` says nothing.
    public static let defaultWeights = "model.safetensors"
    /// The largest `resize` that is taken. Units: pixels.
    public static let maximumResize = 4096
}
