import FoundationEssentials

/// Files under Tests/Fixtures.
public enum Fixtures {
    /// The path of a fixture.
    public static func path(_ name: String) -> String {
        let here = #filePath  // …/Tests/TestSupport/Fixtures.swift
        let tests = here.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        return "\(tests)/Fixtures/\(name)"
    }

    /// The path of the repository's root.
    public static var repositoryRoot: String {
        path("").split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }

    /// A fixture's bytes.
    public static func bytes(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(filePath: path(name))))
    }
}
