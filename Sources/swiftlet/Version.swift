import CBuildInfo
import Kernels

/// What `--version` prints.
enum Version {
    static let number = "0.1.0"

    /// The commit that was built; `unknown` outside of a git work tree.
    static var commit: String { String(cString: swiftlet_commit()) }

    static var line: String {
        "swiftlet \(number), commit \(commit), kernels for \(KernelTable.fastest.isa) "
            + "(this machine has \(KernelTable.available.map(\.isa).joined(separator: ", ")))"
    }
}
