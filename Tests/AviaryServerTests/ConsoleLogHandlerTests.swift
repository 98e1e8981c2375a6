import Logging
import Testing

@testable import AviaryServer

@Suite struct `A line of the log` {
    private func line(
        _ message: String, _ metadata: Logger.Metadata = [:], level: Logger.Level = .info,
        atSeconds seconds: Int = 0, milliseconds: Int = 0, isColored: Bool = false
    ) -> String {
        ConsoleLogHandler.line(
            level, message, metadata, atSeconds: seconds, milliseconds: milliseconds,
            isColored: isColored)
    }

    @Test func `has the time, the level, the message and the metadata by key`() {
        #expect(
            line(
                "session opened", ["session": "0x1", "remote": "a:1"],
                atSeconds: 1_795_236_372, milliseconds: 45)
                == "2026-11-21T04:46:12.045Z info     session opened remote=a:1 session=0x1\n")
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00"), (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"), (951_868_800, "2000-03-01T00:00:00"),
        (1_735_689_599, "2024-12-31T23:59:59"), (4_107_542_400, "2100-03-01T00:00:00"),
    ])
    func `has the right date`(seconds: Int, expected: String) {
        #expect(line("", atSeconds: seconds).hasPrefix(expected + ".000Z "))
    }

    @Test func `stays one line whatever a client puts into it`() {
        #expect(
            line("a\nb", ["k": "x\r\ny=\"1\"", "e": ""])
                == "1970-01-01T00:00:00.000Z info     a\\nb e=\"\" k=\"x\\r\\ny=\\\"1\\\"\"\n")
    }

    @Test func `colours the level alone`() {
        #expect(
            line("m", level: .error, isColored: true)
                == "1970-01-01T00:00:00.000Z \u{1B}[31merror   \u{1B}[0m m\n")
    }
}
