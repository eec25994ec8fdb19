#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The target that the environment variable FUZZ_TARGET names.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.named(name) else {
        let names = FuzzTarget.all.map(\.name).joined(separator: ", ")
        fatalError("FUZZ_TARGET is '\(name)' and must be one of \(names)")
    }
    return target
}()

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count).prefix(target.maximumBytes))
    if let complaint = target.check(bytes) { fatalError("\(target.name): \(complaint)") }
    return 0
}
