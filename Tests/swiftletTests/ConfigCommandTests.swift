import FoundationEssentials
import TestSupport
import Testing

struct ConfigCommandTests {
    struct Report: Decodable {
        struct Entry: Decodable {
            let key: String
            let value: JSON
            let origin: String
            let origin_name: String?
        }
        let settings: [Entry]

        subscript(key: String) -> Entry? { settings.first { $0.key == key } }
    }

    enum JSON: Decodable, Equatable {
        case text(String)
        case integer(Int)
        case list([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let integer = try? container.decode(Int.self) {
                self = .integer(integer)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .list(try container.decode([String].self))
            }
        }
    }

    @Test func printsEachSettingWithItsOrigin() throws {
        let directory = try TemporaryDirectory()
        try directory.write(#"{"topK": 2, "loadModels": ["a"]}"#.utf8, to: "config.json")
        let run = try CommandRun(
            "config", "--port", "81", "--format", "json", environment: ["SWIFTLET_THREADS": "3"], directory: directory)
        #expect(run.status == 0 && run.errors.isEmpty)
        let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
        func expect(_ key: String, _ value: JSON, _ origin: String, _ name: String?) throws {
            let entry = try #require(report[key])
            #expect(entry.value == value && entry.origin == origin && entry.origin_name == name, "\(entry)")
        }
        try expect("port", .integer(81), "flag", "--port")
        try expect("threads", .integer(3), "environment", "SWIFTLET_THREADS")
        try expect("topK", .integer(2), "file", "config.json")
        try expect("loadModels", .list(["a"]), "file", "config.json")
        try expect("host", .text("0.0.0.0"), "default", nil)
    }

    @Test func theTableSaysTheSame() throws {
        let run = try CommandRun("config", "--max-batch-size", "5")
        let line = run.output.split(separator: "\n").first { $0.hasPrefix("maxBatchSize") }
        #expect(line?.split(separator: " ").map(String.init) == ["maxBatchSize", "5", "flag", "--max-batch-size"])
    }

    @Test func aWrongFileStopsWithTheKey() throws {
        let directory = try TemporaryDirectory()
        try directory.write(#"{"maxPixel": 2}"#.utf8, to: "config.json")
        let run = try CommandRun("config", directory: directory)
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(run.errors.contains("'maxPixel'"))
    }

    /// A line each, which no value of the file begins.
    @Test func aFileWithSeveralMistakesIsToldInOneRun() throws {
        let directory = try TemporaryDirectory()
        try directory.write("{\"maxPixel\": 2,\n\"port\": 70000,\n\"isa\": \"a\\nb\"}".utf8, to: "config.json")
        let run = try CommandRun("config", "--threads", "x", directory: directory)
        #expect(run.status == 1 && run.output.isEmpty)
        let lines = run.errors.split(separator: "\n")
        #expect(lines.count == 4 && lines.allSatisfy { $0.hasPrefix("Error: ") }, "\(run.errors)")
        for (line, words) in zip(
            lines,
            [
                "config.json, line 1: there is no setting 'maxPixel'", "'port' is 70000 (file config.json, line 2)",
                "'threads' is 'x' (flag --threads)", #"'isa' is 'a\nb' (file config.json, line 3)"#,
            ])
        { #expect(line.contains(words), "\(line)") }
    }

    @Test func wrongFlagsAloneAreWrongUsage() throws {
        let run = try CommandRun("config", "--threads", "x", "--port", "70000")
        #expect(run.status == 64 && run.output.isEmpty)
        #expect(run.errors.contains("--port is 70000") && run.errors.contains("--threads is 'x'"), "\(run.errors)")
    }

    @Test func warningsGoToStandardError() throws {
        let run = try CommandRun("config", environment: ["SWIFTLET_PORT": "tcp://1.2.3.4:5", "SWIFTLET_NOTHING": "1"])
        #expect(run.status == 0)
        #expect(run.errors.contains("tcp://1.2.3.4:5") && run.errors.contains("SWIFTLET_NOTHING"))
    }
}
