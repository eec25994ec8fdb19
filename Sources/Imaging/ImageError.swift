/// Why bytes could not be made into a picture.
public enum ImageError: Error, Equatable, Sendable {
    /// No format that this service reads; `found` names what it looks like, "GIF" for example.
    case unknownFormat(found: String)
    /// The format is known but the data is broken. `offset` is how many bytes had been consumed by then.
    case damaged(reason: String, offset: Int)
    /// A sound file that uses a part of its format which cannot be read, such as 12-bit samples.
    case unsupported(reason: String)
    /// The header announces more than `limit` pixels.
    case tooManyPixels(width: Int, height: Int, limit: Int)
    /// The header announces a side of more than `limit` pixels.
    case sideTooLong(width: Int, height: Int, limit: Int)
    /// A progressive or otherwise divided picture with more scans than `limit`.
    case tooManyScans(limit: Int)
    /// A picture that is kept whole while it is decoded and takes more than `limit` bytes of memory.
    case tooMuchMemory(reason: String, limit: Int)
    /// The codec could not allocate memory.
    case outOfMemory
}

extension ImageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownFormat(let found): "not a \(ImageFormat.names) image: \(found)"
        case .damaged(let reason, let offset): "damaged image, at byte \(offset): \(reason)"
        case .unsupported(let reason): "unsupported kind of image: \(reason)"
        case .tooManyPixels(let width, let height, let limit):
            "\(width)×\(height) pixels are more than the limit of \(limit)"
        case .sideTooLong(let width, let height, let limit):
            "\(width)×\(height) pixels: no side may have more than \(limit)"
        case .tooManyScans(let limit): "more scans than the limit of \(limit)"
        case .tooMuchMemory(let reason, let limit): "\(reason), more than the limit of \(limit) for decoding"
        case .outOfMemory: "out of memory while decoding"
        }
    }
}
