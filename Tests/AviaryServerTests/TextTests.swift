import AviaryWire
import Testing

@testable import AviaryServer

struct TextTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 is that of RFC 4648`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)).description == encoded)
    }

    @Test(
        arguments: [
            (0, "Thu Jan 01 00:00:00 UTC 1970"), (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (1_795_225_446_000, "Sat Nov 21 01:44:06 UTC 2026"),
        ] as [(Int64, String)])
    func `dates are written as Java writes them`(milliseconds: Int64, text: String) {
        #expect(JavaDate.text(milliseconds: milliseconds) == text)
    }

    @Test(arguments: [(0.0, "0.0"), (4.8, "4.8"), (0.31523, "0.3152"), (12.0, "12.0")])
    func `averages have four decimals at most`(value: Double, text: String) {
        #expect(value.javaText == text)
    }
}
