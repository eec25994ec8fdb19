import Checkpoints
import Classification
import Imaging
import Quantization

/// Reads pictures as a model gets them.
struct CalibrationReader: ~Copyable {
    private let preprocessing: Preprocessing
    private var decoder: ImageDecoder

    init(_ description: ModelDescription, limits: ImageLimits) {
        preprocessing = Preprocessing(
            resize: description.resize, crop: description.crop,
            filter: description.filter == .bicubic ? .bicubic : .bilinear)
        decoder = ImageDecoder(limits: limits)
    }

    mutating func read(_ path: String) -> Result<CalibrationImage, ImageFailure> {
        let bytes: [UInt8]
        do throws(ImageSourceError) { bytes = try ImageSource.file(path).read() } catch {
            return .failure(.source(error))
        }
        do throws(ImageError) {
            let image = try decoder.prepare(bytes.span, preprocessing)
            return .success(
                CalibrationImage(
                    pixels: image.withUnsafePixels { Array($0) }, height: image.height, width: image.width))
        } catch { return .failure(.image(error)) }
    }
}
