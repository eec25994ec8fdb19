#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A program that runs beside the test, and ends with this object at the latest.
public final class ChildProcess {
    public struct SpawnError: Error {
        public let path: String
        public let code: Int32
    }

    private let process: pid_t

    /// Starts the program at `path`; what it writes goes into the file at `outputPath`.
    public init(_ path: String, _ arguments: [String], outputPath: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var argv = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var process = pid_t()
        let code = posix_spawn(&process, path, &actions, nil, &argv, &environment)
        guard code == 0 else { throw SpawnError(path: path, code: code) }
        self.process = process
    }

    public func signal(_ number: Int32) { kill(process, number) }

    deinit {
        kill(process, SIGTERM)
        while waitpid(process, nil, 0) < 0 && errno == EINTR {}
    }
}
