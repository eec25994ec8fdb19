import Imaging
import Inference
import Parallelism
import Tensors

/// One image of a request, as it came.
enum InferenceInput: Sendable {
    /// A picture's file.
    case encoded(UploadedImage)
    /// `[height][width][3]` RGB of the model's input size.
    case pixels(UploadedImage)
    /// `[3][height][width]` of the model's input size, normalised: floats, little-endian.
    case planar(UploadedImage)

    /// How long it takes to decode. Units: as `ImageDecoder.cost`.
    var decodeCost: Int {
        switch self {
        case .encoded(let image): image.decodeCost
        case .pixels, .planar: 0
        }
    }

    /// Whether the client computed the numbers that the network reads.
    var isPlanar: Bool { if case .planar = self { true } else { false } }
}

/// One image as a session reads it.
struct PreparedInput: Sendable {
    private enum Content: Sendable {
        case picture(PreparedImage)
        case pixels(InputMemory<UInt8>)
        case planar(InputMemory<Float>)
    }

    private let content: Content
    /// Units: nanoseconds.
    let decodeNanoseconds: Int64
    /// Units: nanoseconds.
    let resizeNanoseconds: Int64
    /// Of the picture as it was sent, after its orientation. Units: pixels.
    let width: Int
    let height: Int

    /// Valid while this value lives.
    var unsafeInput: UnsafeInput {
        switch content {
        case .picture(let picture): .rgb(picture.unsafePixels)
        case .pixels(let memory): .rgb(UnsafePointer(memory.buffer.pointer))
        case .planar(let memory): .planar(UnsafePointer(memory.buffer.pointer))
        }
    }

    init(_ picture: PreparedImage) {
        content = .picture(picture)
        decodeNanoseconds = picture.durations.decodeNanoseconds
        resizeNanoseconds = picture.durations.resizeNanoseconds
        width = picture.sourceWidth
        height = picture.sourceHeight
    }

    /// Numbers that are infinite or none are taken as they are: they spoil their own image's result alone.
    ///
    /// - Precondition: no file; as many bytes as the model's input has.
    init(_ input: InferenceInput, of model: ClassifierModel, clock: any Clock) {
        let start = clock.now()
        switch input {
        case .encoded: preconditionFailure("a file is to be decoded")
        case .pixels(let image): content = .pixels(InputMemory(image, count: model.inputElementCount))
        case .planar(let image): content = .planar(InputMemory(image, count: model.inputElementCount))
        }
        decodeNanoseconds = clock.now().nanoseconds(since: start)
        resizeNanoseconds = 0
        width = model.plan.inputWidth
        height = model.plan.inputHeight
    }
}

/// An image's elements in aligned memory of their own.
final class InputMemory<Element: BitwiseCopyable & Sendable>: Sendable {
    /// Not written after `init`.
    let buffer: AlignedBuffer<Element>

    /// - Precondition: `image` has the bytes of `count` elements.
    init(_ image: UploadedImage, count: Int) {
        let buffer = AlignedBuffer<Element>(count: count)
        precondition(
            image.range.count == count * MemoryLayout<Element>.stride, "\(image.range.count) bytes of \(count) elements"
        )
        image.storage.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(buffer.elements).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[image.range]))
        }
        self.buffer = buffer
    }
}

extension ClassifierModel {
    /// Numbers in one image.
    var inputElementCount: Int { plan.inputHeight * plan.inputWidth * plan.architecture.inputChannels }
}
