import OpenInference

extension InferRequest {
    /// The images in its only input, whichever way they are sent, for a model that reads `planarShape`.
    ///
    /// Shapes: `planarShape` is `[C, H, W]`.
    /// - Throws: `badTensor` where it is not one that the model takes, `tooManyImages`, `badBody`.
    func images(planarShape: [Int], limit: Int) throws(ServiceFailure) -> [InferenceInput] {
        guard let tensor = inputs.first else {
            throw .badTensor(reason: "'inputs' is empty, expected '\(V2Tensor.input)'")
        }
        if let other = inputs.first(where: { $0.name != V2Tensor.input }) {
            throw .badTensor(reason: "no input is called '\(other.name)'; there is '\(V2Tensor.input)'")
        }
        let shape = tensor.shape
        switch tensor.datatype {
        case .bytes:
            guard shape.count == 1 || (shape.count == 2 && shape[1] == 1) else {
                throw unexpectedShape(tensor, "[N] or [N, 1]")
            }
            guard shape[0] <= limit else { throw .tooManyImages(limit: limit) }
            do throws(OpenInferenceError) {
                return try tensor.byteElements().map { .encoded(UploadedImage(tensor.storage, $0)) }
            } catch { throw ServiceFailure(error) }
        case .fp32:
            let expected = planarShape
            guard shape.count == 4, Array(shape.dropFirst()) == expected else {
                throw unexpectedShape(tensor, "[N, \(expected[0]), \(expected[1]), \(expected[2])], normalised")
            }
            guard shape[0] <= limit else { throw .tooManyImages(limit: limit) }
            return slices(of: tensor).map { .planar($0) }
        case .uint8:
            let (channels, height, width) = (planarShape[0], planarShape[1], planarShape[2])
            guard shape.count == 4, Array(shape.dropFirst()) == [height, width, channels] else {
                throw unexpectedShape(
                    tensor,
                    "[N, \(height), \(width), \(channels)], the model's own size; pictures of other sizes go as BYTES")
            }
            guard shape[0] <= limit else { throw .tooManyImages(limit: limit) }
            return slices(of: tensor).map { .pixels($0) }
        }
    }

    private func unexpectedShape(_ tensor: InputTensor, _ expected: String) -> ServiceFailure {
        .badTensor(
            reason: "input '\(tensor.name)' has shape \(tensor.shape), expected for \(tensor.datatype.rawValue) "
                + expected)
    }

    private func slices(of tensor: InputTensor) -> [UploadedImage] {
        let size = tensor.range.count / tensor.shape[0]
        return (0..<tensor.shape[0]).map { index in
            let start = tensor.range.lowerBound + index * size
            return UploadedImage(tensor.storage, start..<start + size)
        }
    }
}
