import Imaging
import Kernels
import Parallelism

extension Settings {
    /// Compute threads: `threads`, or else the cores that affinity and control group allow.
    public var threadCount: Int { threads == 0 ? CoreCount.available() : threads }

    /// The kernels of `isa`, or else the fastest.
    /// - Throws: `KernelError.unavailable` where this machine cannot run them.
    public func kernelTable() throws(KernelError) -> KernelTable {
        isa.isEmpty ? .fastest : try .named(isa)
    }

    /// Notes an `isa` that this machine does not have.
    func checkMachine(_ faults: inout SettingsFaults) {
        guard !isa.isEmpty, !KernelTable.available.contains(where: { $0.isa == isa }) else { return }
        faults.add(
            .invalidValue(
                key: "isa", value: "'\(isa)'", origin: origin(of: "isa"),
                allowed: "one that this machine has: " + KernelTable.available.map(\.isa).joined(separator: ", ")))
    }

    /// What one picture may cost.
    public var imageLimits: ImageLimits {
        ImageLimits(maxPixels: maxPixels, maxScans: maxScans, maxMemoryBytes: maxDecodeBytes)
    }
}
