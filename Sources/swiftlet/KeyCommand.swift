import ArgumentParser
import Classification
import FoundationEssentials
import Parallelism

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Makes a key for a client of 'swiftlet serve --api-keys-file FILE'.",
        discussion: """
            Prints the key, which is shown this once, and the line of the keys' file, which holds its SHA-256 only:

              swiftlet key shop --append keys.txt
              curl -H 'Authorization: Bearer KEY' \\
                --data-binary @photo.jpg http://localhost:8080/v1/classify

            A running service reads the file again on SIGHUP. Two keys may have the same name: make the new one, let the \
            client change over, and delete the old line.
            """)

    @Argument(help: "Whose key it is: 1 to 64 letters, digits, '.', '_' or '-'. It may appear in logs.")
    var name: String

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "What it allows: inference, admin (load and unload models), or both, with a comma.", valueName: "rights"))
    var rights: [String] = ["inference"]

    @Option(help: ArgumentHelp("Appends the line to this file instead of printing it.", valueName: "file"))
    var append: String?

    @Flag(help: "Takes the key from standard input instead of making one.")
    var standardInput = false

    func run() throws {
        guard APIKeys.isName(name) else {
            throw ValidationError("'\(name)' is no name: 1 to 64 letters, digits, '.', '_' or '-' are.")
        }
        let rights = try Set(
            self.rights.flatMap { $0.split(separator: ",") }.map { word in
                guard let right = KeyRight(rawValue: String(word)) else {
                    throw ValidationError("no right is called '\(word)'; there are inference and admin.")
                }
                return right
            })
        guard !rights.isEmpty else { throw ValidationError("a key needs a right: inference or admin.") }
        let made = NewAPIKey(name: name, rights: rights, key: standardInput ? try Self.readKey() : nil)
        if let append { try Self.append(made.line, to: append) }
        if !standardInput { try StandardStream.output.write("\(made.key)\n") }
        if append == nil { try StandardStream.output.write("\(made.line)\n") }
    }

    private static func readKey() throws -> String {
        let key = readLine() ?? ""
        guard key.utf8.count >= 16, key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw ValidationError("the key on standard input is not at least 16 visible ASCII characters on one line.")
        }
        return key
    }

    private static func append(_ line: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AppendError(path: path, code: errno) }
        defer { close(descriptor) }
        let code = SystemFile.write("\(line)\n", to: descriptor)
        guard code == 0 else { throw AppendError(path: path, code: code) }
    }

    private struct AppendError: Error, CustomStringConvertible {
        let path: String
        let code: Int32

        var description: String { "cannot write to \(path): \(systemMessage(code))" }
    }
}
