/// A row of a paper's table: blocks of one kind, before scaling.
struct StageSpec: Sendable {
    let kind: BlockSpec.Kind
    let expansion: Int
    let channels: Int
    let repeats: Int
    /// Of the first block; the others have 1.
    let stride: Int
    let kernel: Int
    let hasSqueeze: Bool

    static func mbConv(
        _ expansion: Int, _ channels: Int, _ repeats: Int, _ stride: Int, _ kernel: Int
    ) -> StageSpec {
        StageSpec(
            kind: .mbConv, expansion: expansion, channels: channels, repeats: repeats, stride: stride,
            kernel: kernel, hasSqueeze: true)
    }

    static func fused(_ expansion: Int, _ channels: Int, _ repeats: Int, _ stride: Int) -> StageSpec {
        StageSpec(
            kind: .fusedMBConv, expansion: expansion, channels: channels, repeats: repeats, stride: stride,
            kernel: 3, hasSqueeze: false)
    }

    /// Layout: expansion, channels, repeats, stride, kernel. Source: arXiv 1905.11946, table 1.
    static let b: [StageSpec] = [
        .mbConv(1, 16, 1, 1, 3), .mbConv(6, 24, 2, 2, 3), .mbConv(6, 40, 2, 2, 5), .mbConv(6, 80, 3, 2, 3),
        .mbConv(6, 112, 3, 1, 5), .mbConv(6, 192, 4, 2, 5), .mbConv(6, 320, 1, 1, 3),
    ]
    /// Layout: expansion, channels, repeats, stride (kernel for MBConv). Source: arXiv 2104.00298, table 4.
    static let v2S: [StageSpec] = [
        .fused(1, 24, 2, 1), .fused(4, 48, 4, 2), .fused(4, 64, 4, 2),
        .mbConv(4, 128, 6, 2, 3), .mbConv(6, 160, 9, 1, 3), .mbConv(6, 256, 15, 2, 3),
    ]
    static let v2M: [StageSpec] = [
        .fused(1, 24, 3, 1), .fused(4, 48, 5, 2), .fused(4, 80, 5, 2),
        .mbConv(4, 160, 7, 2, 3), .mbConv(6, 176, 14, 1, 3), .mbConv(6, 304, 18, 2, 3), .mbConv(6, 512, 5, 1, 3),
    ]
    static let v2L: [StageSpec] = [
        .fused(1, 32, 4, 1), .fused(4, 64, 7, 2), .fused(4, 96, 7, 2),
        .mbConv(4, 192, 10, 2, 3), .mbConv(6, 224, 19, 1, 3), .mbConv(6, 384, 25, 2, 3), .mbConv(6, 640, 7, 1, 3),
    ]
    /// Source: the authors' published code for V2-B0 to B3.
    static let v2B: [StageSpec] = [
        .fused(1, 16, 1, 1), .fused(4, 32, 2, 2), .fused(4, 48, 2, 2),
        .mbConv(4, 96, 3, 2, 3), .mbConv(6, 112, 5, 1, 3), .mbConv(6, 192, 8, 2, 3),
    ]
}
