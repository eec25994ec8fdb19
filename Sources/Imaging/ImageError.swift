/// Why bytes could not be made into a picture.
public enum ImageError: Error, Equatable, Sendable {
    /// No format that this service reads; `found` names what it looks like, "PNG" for example.
    case unknownFormat(found: String)
    /// The format is known but the data is broken. `offset` is how many bytes had been consumed by then.
    case damaged(reason: String, offset: Int)
    /// A sound file that uses a part of its format which cannot be read, such as 12-bit samples.
    case unsupported(reason: String)
    /// The header announces more than `limit` pixels.
    case tooManyPixels(width: Int, height: Int, limit: Int)
    /// A progressive or otherwise divided picture with more scans than `limit`.
    case tooManyScans(limit: Int)
    /// A progressive or otherwise divided picture whose coefficients take more than `limit` bytes of memory.
    case tooManyCoefficients(limit: Int)
    /// The codec could not allocate memory.
    case outOfMemory
}

extension ImageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownFormat(let found): "not a JPEG image: \(found)"
        case .damaged(let reason, let offset): "damaged image, at byte \(offset): \(reason)"
        case .unsupported(let reason): "unsupported kind of image: \(reason)"
        case .tooManyPixels(let width, let height, let limit):
            "\(width)×\(height) pixels are more than the limit of \(limit)"
        case .tooManyScans(let limit): "more scans than the limit of \(limit)"
        case .tooManyCoefficients(let limit): "coefficients of more bytes than the limit of \(limit)"
        case .outOfMemory: "out of memory while decoding"
        }
    }
}
