/// What is to be decoded and how it becomes the crop, in the axes of the stored picture.
struct PictureGeometry {
    var reduction: Int
    var columns: AxisTaps.Axis
    var rows: AxisTaps.Axis
    /// Whether the resize blends across the stored rows before it blends along them.
    var blendsRowsFirst: Bool
    var paddingLeft: Int
    var paddingTop: Int

    init(header: StoredHeader, preprocessing: Preprocessing, reduction kind: Reduction) {
        let orientation = header.orientation
        let oriented = orientation.orient(width: header.width, height: header.height)
        let resized = preprocessing.resizedSize(width: oriented.width, height: oriented.height)
        let across = CropAxis(resizedLength: resized.width, cropLength: preprocessing.cropWidth)
        let down = CropAxis(resizedLength: resized.height, cropLength: preprocessing.cropHeight)
        paddingLeft = across.padding
        paddingTop = down.padding

        let target = orientation.orient(width: resized.width, height: resized.height)
        let reduction =
            kind == .unavailable
            ? 1
            : [8, 4, 2].first {
                Self.reduced(header.width, by: $0) >= target.width
                    && Self.reduced(header.height, by: $0) >= target.height
            } ?? 1
        self.reduction = reduction
        func coveredLength(_ length: Int) -> Float {
            kind == .byScaling ? Float(Self.reduced(length, by: reduction)) : Float(length) / Float(reduction)
        }
        columns = AxisTaps.Axis(
            sourceLength: Self.reduced(header.width, by: reduction),
            coveredLength: coveredLength(header.width), resizedLength: target.width,
            kept: (orientation.swapsAxes ? down : across).kept, isMirrored: orientation.mirrorsColumns)
        rows = AxisTaps.Axis(
            sourceLength: Self.reduced(header.height, by: reduction),
            coveredLength: coveredLength(header.height), resizedLength: target.height,
            kept: (orientation.swapsAxes ? across : down).kept, isMirrored: orientation.mirrorsRows)

        let source = orientation.orient(width: columns.sourceLength, height: rows.sourceLength)
        let blendsDownFirst = Preprocessing.blendsDownFirst(from: source, to: resized)
        blendsRowsFirst = blendsDownFirst != orientation.swapsAxes
    }

    static func reduced(_ length: Int, by reduction: Int) -> Int { (length + reduction - 1) / reduction }

    /// The columns to decode, so that the needed ones come out as in a decode of the whole.
    func window(around needed: Range<Int>, margin: Int) -> PictureWindow {
        let lower = max(needed.lowerBound - margin, 0)
        let upper = min(needed.upperBound + margin, columns.sourceLength)
        return PictureWindow(reduction: reduction, columns: lower..<upper)
    }
}
