/// A part of a picture. Units: pixels of the picture, from its upper left corner.
public struct PictureBox: Equatable, Sendable {
    public var x: Double
    public var y: Double
    public var width: Double
    public var height: Double

    public init(x: Double, y: Double, width: Double, height: Double) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }
}

extension Preprocessing {
    /// Which part of a picture of `width` by `height`, after its orientation, the crop shows; it reaches beyond the
    /// picture where the crop has black borders.
    public func coveredPart(width: Int, height: Int) -> PictureBox {
        let resized = resizedSize(width: width, height: height)
        func span(_ length: Int, _ resizedLength: Int, _ cropLength: Int) -> (start: Double, length: Double) {
            let axis = CropAxis(resizedLength: resizedLength, cropLength: cropLength)
            let scale = Double(length) / Double(resizedLength)
            return (Double(axis.kept.lowerBound - axis.padding) * scale, Double(cropLength) * scale)
        }
        let across = span(width, resized.width, cropWidth)
        let down = span(height, resized.height, cropHeight)
        return PictureBox(x: across.start, y: down.start, width: across.length, height: down.length)
    }
}
