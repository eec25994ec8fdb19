/// One time series' worth of counting: the handle that code keeps and updates. Updates take no lock.
public protocol Metric: AnyObject, Sendable {
    static var kind: MetricKind { get }

    /// The value now.
    var value: MetricValue { get }
}

public enum MetricKind: String, Sendable {
    case counter, gauge, histogram
}

/// What a metric shows at one moment.
public enum MetricValue: Equatable, Sendable {
    case number(Double)

    /// `counts` has one entry for each of the bounds and a last one for what lies above them all; it is not cumulative.
    /// `exemplars` has as many, or none.
    case histogram(bounds: [Double], counts: [Int], sum: Double, exemplars: [Exemplar?] = [])
}

/// A family as it is at one moment: what the exposition formats print.
public struct FamilySnapshot: Equatable, Sendable {
    /// With `_total` where the family is a counter.
    public var name: String
    public var help: String
    public var kind: MetricKind
    public var labelNames: [String]
    /// One for each label set, its values in the order of `labelNames`.
    public var series: [Series]

    public struct Series: Equatable, Sendable {
        public var labelValues: [String]
        public var value: MetricValue

        public init(labelValues: [String], value: MetricValue) {
            self.labelValues = labelValues
            self.value = value
        }
    }

    public init(name: String, help: String, kind: MetricKind, labelNames: [String] = [], series: [Series]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labelNames = labelNames
        self.series = series
    }

    /// The name without the suffix that its kind gives to the samples: what OpenMetrics calls the family.
    var baseName: Substring { kind == .counter ? name.dropLast("_total".count) : Substring(name) }

    /// The unit, which is the last part of the name; nil for a family that has none.
    var unit: Substring? {
        ["seconds", "bytes", "ratio"].first { baseName.hasSuffix("_" + $0) }.map { baseName.suffix($0.count) }
    }
}

/// Something that has metrics to show whenever the page is asked for.
public protocol MetricSource: Sendable {
    func snapshot() -> [FamilySnapshot]
}
