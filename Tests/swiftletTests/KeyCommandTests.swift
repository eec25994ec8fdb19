import Classification
import FoundationEssentials
import TestSupport
import Testing

struct KeyCommandTests {
    @Test func printsAKeyAndItsLine() throws {
        let run = try CommandRun("key", "shop")
        #expect(run.status == 0 && run.errors.isEmpty)
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        #expect(lines[1] == "shop:inference:\(SHA256.hexadecimal(Array(lines[0].utf8)))")
    }

    @Test func appendsTheLineToAFile() throws {
        let directory = try TemporaryDirectory()
        try directory.write("# keys\n".utf8, to: "keys")
        let first = try CommandRun("key", "shop", "--append", "keys", directory: directory)
        let second = try CommandRun(
            "key", "ops", "--rights", "admin,inference", "--append", "keys", directory: directory)
        #expect(first.status == 0 && second.status == 0)
        let text = String(decoding: try Data(contentsOf: URL(filePath: "\(directory.path)/keys")), as: UTF8.self)
        func digest(_ run: CommandRun) -> String { SHA256.hexadecimal(Array(run.output.utf8.dropLast())) }
        #expect(text == "# keys\nshop:inference:\(digest(first))\nops:inference,admin:\(digest(second))\n")
        #expect(throws: Never.self) { try APIKeys(path: "\(directory.path)/keys") }
    }

    @Test(
        arguments: [
            ["ops", "--rights", "admin"], ["--rights", "admin", "ops"], ["--rights=admin", "ops"],
        ])
    func takesNameAndRightsInAnyOrder(_ arguments: [String]) throws {
        let run = try CommandRun(["key"] + arguments)
        #expect(run.status == 0 && run.output.contains("\nops:admin:"), "\(run.errors)")
    }

    @Test(arguments: [["a", "--rights", "admin", "--rights", "inference"], ["--rights", "inference,admin", "a"]])
    func takesSeveralRights(_ arguments: [String]) throws {
        #expect(try CommandRun(["key"] + arguments).output.contains("\na:inference,admin:"))
    }

    @Test func takesAKeyThatIsThereAlready() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("a key of the vault's".replacing(" ", with: "-").utf8, to: "secret")
        let run = try CommandRun("key", "shop", "--standard-input", standardInput: path)
        #expect(run.status == 0)
        #expect(run.output == "shop:inference:\(SHA256.hexadecimal(Array("a-key-of-the-vault's".utf8)))\n")
    }

    @Test(
        arguments: [
            ["key"], ["key", "a:b"], ["key", "a", "--rights", "root"], ["key", "a", "--rights", ","],
            ["key", "a", "--standard-input"],
        ])
    func wrongUsageIsASentence(_ arguments: [String]) throws {
        let run = try CommandRun(arguments)
        #expect(run.status == 64 && run.output.isEmpty && run.errors.hasPrefix("Error: "), "\(run.errors)")
    }

    @Test func aFileThatCannotBeWrittenIsNamedAndTheKeyNotShown() throws {
        let run = try CommandRun("key", "shop", "--append", "/nonexistent/keys")
        #expect(run.status == 1 && run.output.isEmpty && run.errors.contains("/nonexistent/keys"))
    }
}
