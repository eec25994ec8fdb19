/// Reads the JSON of an inference request, and finds each input's elements.
struct InferRequestReader {
    private var scanner: JSONScanner
    /// Where the binary data of the next input begins.
    private var binaryOffset: Int
    private let binaryStart: Int

    /// An input as its JSON tells it.
    private struct Draft {
        var name: String?
        var datatype: String?
        var shape: [Int]?
        /// Where the text of `data` lies.
        var data: Range<Int>?
        var binaryByteCount: Int?
    }

    init(_ scanner: JSONScanner, binaryStart: Int) {
        self.scanner = scanner
        self.binaryStart = binaryStart
        binaryOffset = binaryStart
    }

    mutating func read(
        into request: inout InferRequest, hold: (Int) -> Bool
    ) throws(OpenInferenceError) {
        var drafts: [Draft]?
        var members: Set<String> = []
        try scanner.object { (name, scanner) throws(OpenInferenceError) in
            switch name {
            case "id", "parameters", "inputs", "outputs":
                guard members.insert(name).inserted else { throw .repeatedMember(path: name) }
            default: break
            }
            switch name {
            case "id": request.id = try Self.text("id", &scanner)
            case "parameters": try Self.parameters(of: &request, &scanner)
            case "inputs": drafts = try Self.inputs(&scanner)
            case "outputs": request.outputs = try Self.outputs(&scanner)
            default: try scanner.skipValue()
            }
        }
        try scanner.finish()
        guard let drafts else { throw .missingMember(path: "inputs") }
        try take(drafts, into: &request, hold: hold)
    }

    // MARK: - Members

    private static func text(_ path: String, _ scanner: inout JSONScanner) throws(OpenInferenceError) -> String {
        let text = try scanner.string(path)
        guard text.unicodeScalars.count <= InferRequest.nameLimit else {
            throw .member(path: path, expected: "a string of at most \(InferRequest.nameLimit) characters")
        }
        return text
    }

    /// Reads `{"name": value}`; what `known` does not take must be a string, a number or a boolean.
    private static func parameters(
        _ path: String, _ scanner: inout JSONScanner,
        _ known: (String, String, inout JSONScanner) throws(OpenInferenceError) -> Bool
    ) throws(OpenInferenceError) {
        guard try scanner.kind() == .object else { throw .member(path: path, expected: "an object") }
        try scanner.object { (name, scanner) throws(OpenInferenceError) in
            // It may come back in an error's sentence.
            guard name.unicodeScalars.count <= InferRequest.nameLimit else {
                throw .member(
                    path: path, expected: "an object with names of at most \(InferRequest.nameLimit) characters")
            }
            let path = "\(path).\(name)"
            if name.hasPrefix("shared_memory_") {
                throw .member(path: path, expected: "absent: shared memory is not served")
            }
            if try known(name, path, &scanner) { return }
            switch try scanner.kind() {
            case .string, .number, .boolean: try scanner.skipValue()
            case .object, .array, .null: throw .member(path: path, expected: "a string, a number or a boolean")
            }
        }
    }

    private static func parameters(
        of request: inout InferRequest, _ scanner: inout JSONScanner
    ) throws(OpenInferenceError) {
        try parameters("parameters", &scanner) { (name, path, scanner) throws(OpenInferenceError) in
            switch name {
            case "priority": request.priority = try scanner.integer(path, in: 0...Int(UInt32.max))
            case "timeout":
                let timeout = try scanner.integer(path, in: 0...InferRequest.longestTimeout)
                request.timeoutMicroseconds = timeout > 0 ? timeout : nil
            case "binary_data_output": request.prefersBinary = try scanner.boolean(path)
            default: return false
            }
            return true
        }
    }

    private static func inputs(_ scanner: inout JSONScanner) throws(OpenInferenceError) -> [Draft] {
        var drafts: [Draft] = []
        guard try scanner.kind() == .array else { throw .member(path: "inputs", expected: "a list") }
        try scanner.array { (index, scanner) throws(OpenInferenceError) in
            guard index < InferRequest.tensorLimit else {
                throw .tooMany(path: "inputs", limit: InferRequest.tensorLimit)
            }
            drafts.append(try input("inputs[\(index)]", &scanner))
        }
        return drafts
    }

    private static func input(_ path: String, _ scanner: inout JSONScanner) throws(OpenInferenceError) -> Draft {
        var draft = Draft()
        var members: Set<String> = []
        guard try scanner.kind() == .object else { throw .member(path: path, expected: "an object") }
        try scanner.object { (name, scanner) throws(OpenInferenceError) in
            let here = "\(path).\(name)"
            switch name {
            case "name", "datatype", "shape", "data", "parameters":
                guard members.insert(name).inserted else { throw .repeatedMember(path: here) }
            default: break
            }
            switch name {
            case "name": draft.name = try text(here, &scanner)
            case "datatype": draft.datatype = try text(here, &scanner)
            case "shape": draft.shape = try shape(here, &scanner)
            case "data":
                guard try scanner.kind() == .array else { throw .member(path: here, expected: "a list") }
                let start = scanner.offset
                try scanner.skipValue()
                draft.data = start..<scanner.offset
            case "parameters":
                try parameters(here, &scanner) { (name, path, scanner) throws(OpenInferenceError) in
                    guard name == "binary_data_size" else { return false }
                    draft.binaryByteCount = try scanner.integer(path, in: 0...Int.max)
                    return true
                }
            default: try scanner.skipValue()
            }
        }
        return draft
    }

    private static func shape(_ path: String, _ scanner: inout JSONScanner) throws(OpenInferenceError) -> [Int] {
        guard try scanner.kind() == .array else { throw .member(path: path, expected: "a list of whole numbers") }
        var shape: [Int] = []
        try scanner.array { (index, scanner) throws(OpenInferenceError) in
            guard index < InferRequest.rankLimit else { throw .tooMany(path: path, limit: InferRequest.rankLimit) }
            shape.append(try scanner.integer("\(path)[\(index)]", in: Int.min...Int.max))
        }
        return shape
    }

    private static func outputs(_ scanner: inout JSONScanner) throws(OpenInferenceError) -> [RequestedOutput] {
        guard try scanner.kind() == .array else { throw .member(path: "outputs", expected: "a list") }
        var outputs: [RequestedOutput] = []
        try scanner.array { (index, scanner) throws(OpenInferenceError) in
            let path = "outputs[\(index)]"
            guard index < InferRequest.tensorLimit else {
                throw .tooMany(path: "outputs", limit: InferRequest.tensorLimit)
            }
            var output: (name: String?, isBinary: Bool?, classCount: Int?)
            guard try scanner.kind() == .object else { throw .member(path: path, expected: "an object") }
            try scanner.object { (name, scanner) throws(OpenInferenceError) in
                let here = "\(path).\(name)"
                switch name {
                case "name":
                    guard output.name == nil else { throw .repeatedMember(path: here) }
                    output.name = try text(here, &scanner)
                case "parameters":
                    try parameters(here, &scanner) { (name, path, scanner) throws(OpenInferenceError) in
                        switch name {
                        case "binary_data": output.isBinary = try scanner.boolean(path)
                        case "classification":
                            output.classCount = try scanner.integer(path, in: 1...Int(Int32.max))
                        default: return false
                        }
                        return true
                    }
                default: try scanner.skipValue()
                }
            }
            guard let name = output.name else { throw .missingMember(path: "\(path).name") }
            guard !outputs.contains(where: { $0.name == name }) else {
                throw .repeatedName(path: "outputs", name: name)
            }
            outputs.append(RequestedOutput(name: name, isBinary: output.isBinary, classCount: output.classCount))
        }
        return outputs
    }

    // MARK: - Elements

    private mutating func take(
        _ drafts: [Draft], into request: inout InferRequest, hold: (Int) -> Bool
    ) throws(OpenInferenceError) {
        for (index, draft) in drafts.enumerated() {
            let path = "inputs[\(index)]"
            guard let name = draft.name else { throw .missingMember(path: "\(path).name") }
            guard !request.inputs.contains(where: { $0.name == name }) else {
                throw .repeatedName(path: "inputs", name: name)
            }
            guard let found = draft.datatype else { throw .missingMember(path: "\(path).datatype") }
            guard let datatype = Datatype(rawValue: found) else { throw .datatype(tensor: name, found: found) }
            guard let shape = draft.shape else { throw .missingMember(path: "\(path).shape") }
            let count = try Self.elementCount(shape, name)
            // The only input need not tell how many bytes follow the JSON (as OpenVINO Model Server has it).
            let byteCount =
                draft.binaryByteCount
                ?? (draft.data == nil && drafts.count == 1 && binaryStart < scanner.bytes.count
                    ? scanner.bytes.count - binaryStart : nil)
            if (draft.data == nil) == (byteCount == nil) {
                throw .content(tensor: name, hasBoth: byteCount != nil)
            }
            var tensor = InputTensor(
                name: name, datatype: datatype, shape: shape, elementCount: count, storage: [], range: 0..<0)
            if let data = draft.data {
                try read(data, into: &tensor, hold: hold)
            } else if let byteCount {
                try slice(byteCount, into: &tensor)
            }
            request.inputs.append(tensor)
        }
        let found = scanner.bytes.count - binaryStart
        let expected = binaryOffset - binaryStart
        guard found == expected else { throw .binaryByteCount(found: found, expected: expected) }
    }

    private static func elementCount(_ shape: [Int], _ name: String) throws(OpenInferenceError) -> Int {
        guard shape.allSatisfy({ $0 > 0 }) else { throw .shape(tensor: name, found: shape, reason: .notPositive) }
        var count = 1
        for dimension in shape {
            let (product, overflows) = count.multipliedReportingOverflow(by: dimension)
            guard !overflows else { throw .shape(tensor: name, found: shape, reason: .overflow) }
            count = product
        }
        return count
    }

    private func read(
        _ data: Range<Int>, into tensor: inout InputTensor, hold: (Int) -> Bool
    ) throws(OpenInferenceError) {
        // An element takes two characters at the least, and a string's text is never longer than what it is written as.
        let bytes =
            tensor.datatype.elementByteCount.map { $0 * min(tensor.elementCount, data.count / 2) } ?? 2 * data.count
        guard hold(bytes) else { throw .noMemory(bytes: bytes) }
        if tensor.datatype != .bytes { tensor.storage.reserveCapacity(bytes) }
        var scanner = JSONScanner(scanner.bytes, range: data)
        try scanner.elements(
            of: tensor.datatype, count: tensor.elementCount, tensor: tensor.name, into: &tensor.storage)
        tensor.range = 0..<tensor.storage.count
    }

    private mutating func slice(_ byteCount: Int, into tensor: inout InputTensor) throws(OpenInferenceError) {
        guard byteCount <= scanner.bytes.count - binaryOffset else {
            throw .binaryByteCount(
                found: scanner.bytes.count - binaryStart,
                expected: (binaryOffset - binaryStart).addingReportingOverflow(byteCount).partialValue)
        }
        if let size = tensor.datatype.elementByteCount {
            let (expected, overflows) = tensor.elementCount.multipliedReportingOverflow(by: size)
            guard !overflows else { throw .shape(tensor: tensor.name, found: tensor.shape, reason: .overflow) }
            guard byteCount == expected else {
                throw .byteCount(tensor: tensor.name, found: byteCount, expected: expected)
            }
        }
        tensor.storage = scanner.bytes
        tensor.range = binaryOffset..<binaryOffset + byteCount
        binaryOffset += byteCount
    }
}
