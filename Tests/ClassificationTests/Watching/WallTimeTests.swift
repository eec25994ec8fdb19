import HTTP
import Testing

@testable import Classification

struct WallTimeTests {
    /// From `date --utc --date=@SECONDS +%FT%TZ`.
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (68_169_599, "1972-02-28T23:59:59Z"), (68_169_600, "1972-02-29T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"), (951_868_799, "2000-02-29T23:59:59Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_704_067_199, "2023-12-31T23:59:59Z"), (1_735_689_599, "2024-12-31T23:59:59Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
    ]) func isWrittenAsTheSystemWouldWriteIt(seconds: Int64, text: String) {
        #expect(WallTime(nanoseconds: seconds * 1_000_000_000).secondsText == text)
        #expect(WallTime(nanoseconds: seconds * 1_000_000_000 + 7_999_999).text == text.dropLast() + ".007Z")
    }

    @Test(
        arguments: [
            (0, "0.000"), (499, "0.000"), (500, "0.001"), (1_000_000, "1.000"), (12_345_678_901, "12345.679"),
            (-5, "0.000"),
            (999_999_500, "1000.000"), (.max, "9223372036854.776"),
        ] as [(Int64, String)]) func millisecondsHaveThreeDigitsBehindThePoint(nanoseconds: Int64, text: String)
    {
        var json = JSONWriter()
        json.object { $0.milliseconds("a", nanoseconds: nanoseconds) }
        #expect(String(decoding: json.bytes, as: UTF8.self) == "{\"a\":\(text)}")
    }
}
