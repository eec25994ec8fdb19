import Testing

@testable import Imaging

/// Expected values: of the resize `round(resize * long / short)`, of the crop torchvision's `center_crop`, evaluated by
/// Python.
struct PreprocessingTests {
    @Test(arguments: [
        (256, 500, 375, 341, 256), (256, 375, 500, 256, 341), (256, 256, 256, 256, 256), (232, 640, 427, 348, 232),
        (256, 1, 3, 256, 768), (7, 65500, 763, 601, 7),
    ]) func shortSideTakesTheGivenLength(resize: Int, width: Int, height: Int, outWidth: Int, outHeight: Int) {
        let size = Preprocessing(resize: resize, crop: 1, filter: .bicubic).resizedSize(width: width, height: height)
        #expect(size == (outWidth, outHeight))
    }

    @Test(arguments: [
        (256, 224, 16, 0), (341, 224, 58, 0), (343, 224, 60, 0), (5, 4, 0, 0), (7, 4, 2, 0), (4, 4, 0, 0), (3, 4, 0, 0),
        (2, 4, 0, 1), (21, 32, 0, 5),
    ]) func centreCropRoundsHalvesToEven(resized: Int, crop: Int, first: Int, padding: Int) {
        let axis = CropAxis(resizedLength: resized, cropLength: crop)
        #expect(axis.kept == first..<first + min(resized, crop))
        #expect(axis.padding == padding)
    }
}
