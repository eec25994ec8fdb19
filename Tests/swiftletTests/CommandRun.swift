import FoundationEssentials
import TestSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One run of the built binary, from its start to its end.
struct CommandRun {
    /// The exit code, or the negated signal.
    let status: Int32
    let output: String
    let errors: String

    /// Runs `swiftlet` in a directory of its own, with no environment but what is given.
    init(
        _ arguments: String..., environment: [String: String] = [:], standardInput: String = "/dev/null",
        standardOutput: String? = nil, directory: TemporaryDirectory? = nil
    ) throws {
        try self.init(
            arguments, environment: environment, standardInput: standardInput, standardOutput: standardOutput,
            directory: directory)
    }

    init(
        _ arguments: [String], environment: [String: String] = [:], standardInput: String = "/dev/null",
        standardOutput: String? = nil, directory: TemporaryDirectory? = nil
    ) throws {
        let files = try TemporaryDirectory()
        let directory = try directory ?? TemporaryDirectory()
        let (outputPath, errorPath) = (standardOutput ?? "\(files.path)/output", "\(files.path)/errors")
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, standardInput, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT, 0o600)
        let enter = ["sh", "-c", #"cd "$0" && exec "$@""#, directory.path]
        var argv = (enter + [Self.binary] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var process = pid_t()
        let code = posix_spawn(&process, "/bin/sh", &actions, nil, &argv, &envp)
        guard code == 0 else { throw SpawnError(path: Self.binary, code: code) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        self.status = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
        output = standardOutput == nil ? try Self.text(outputPath) : ""
        errors = try Self.text(errorPath)
    }

    struct SpawnError: Error {
        let path: String
        let code: Int32
    }

    /// The binary is built into the directory that the tests run from.
    static let binary: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let runner = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        let candidates = [runner] + CommandLine.arguments.filter { $0.contains(".xctest") }
        let paths = candidates.map { path in
            let end = path.firstRange(of: ".xctest").map { path[..<$0.lowerBound] } ?? path[...]
            return end[..<(end.lastIndex(of: "/") ?? end.startIndex)] + "/swiftlet"
        }
        guard let path = paths.first(where: { access(String($0), X_OK) == 0 }) else {
            preconditionFailure("no swiftlet beside the tests: \(paths)")
        }
        return String(path)
    }()

    private static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}
