import FoundationEssentials
import HTTP
import Imaging
import Inference
import Parallelism

/// What an answer says of why an image got its classes: class-activation maps as grayscale pictures, for a client to lay
/// over the part of the picture that the model saw.
struct Explanation: Sendable {
    private struct Map {
        var classIndex: Int
        /// What black and white stand for. Units: of the logits.
        var low: Float
        var high: Float
        /// Of the PNG. Units: pixels.
        var width: Int
        var height: Int
        /// In base64.
        var png: String
    }

    private let box: PictureBox
    private let maps: [Map]

    /// How many pixels of a picture's side stand for a cell of a map, where it does not become too large. Cells are the
    /// finest there is, and between them are straight lines, which whoever shows it larger draws on.
    static let pixelsPerCell = 8
    static let mostPixelsASide = 256

    /// Makes the maps of an image; the pool's idle workers help.
    ///
    /// - Parameters:
    ///   - classes: in the order in which the answer has their maps.
    ///   - width, height: of the picture as it was sent. Units: pixels.
    /// - Throws: `image(.outOfMemory)`, `resultNotFinite`.
    init(
        of input: HeadInput, classes: [Int], width: Int, height: Int, model: ClassifierModel, in pool: WorkerPool,
        scratch: ThreadScratch
    ) throws(ServiceFailure) {
        box = model.preprocessing.coveredPart(width: width, height: height)
        let found = pool.withScope {
            model.plan.activationMaps(of: input, classes: classes, in: $0, scratch: scratch)
        }
        var maps: [Map] = []
        for map in found {
            guard map.values.allSatisfy(\.isFinite) else { throw .resultNotFinite }
            let low = map.values.min()!
            let high = map.values.max()!
            let picture = Self.picture(map, low: low, high: high)
            let file: [UInt8]
            do throws(ImageError) { file = try picture.png() } catch { throw .image(error) }
            maps.append(
                Map(
                    classIndex: map.classIndex, low: low, high: high, width: picture.width, height: picture.height,
                    png: Data(file).base64EncodedString()))
        }
        self.maps = maps
    }

    /// The map enlarged, from `low`, which becomes 0, to `high`, which becomes 255.
    static func picture(_ map: ActivationMap, low: Float, high: Float) -> GrayPicture {
        let factor = max(1, min(pixelsPerCell, mostPixelsASide / max(map.width, map.height)))
        let (width, height) = (map.width * factor, map.height * factor)
        // A map without differences is black; halves, so that no difference is infinite.
        let range = max(high / 2 - low / 2, .leastNormalMagnitude)
        let pixels = map.enlarged(height: height, width: width).map { value in
            UInt8(max(0, min(255, ((value / 2 - low / 2) / range * 255).rounded())))
        }
        return GrayPicture(width: width, height: height, pixels: pixels)
    }

    func write(to json: inout JSONWriter) {
        json.object("box") {
            $0.value("x", Float(box.x))
            $0.value("y", Float(box.y))
            $0.value("width", Float(box.width))
            $0.value("height", Float(box.height))
        }
        json.array("maps") {
            for map in maps {
                $0.object {
                    $0.value("index", map.classIndex)
                    $0.value("low", map.low)
                    $0.value("high", map.high)
                    $0.value("width", map.width)
                    $0.value("height", map.height)
                    $0.value("png", map.png)
                }
            }
        }
    }
}
