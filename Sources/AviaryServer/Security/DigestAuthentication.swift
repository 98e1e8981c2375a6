import AviaryCore
import AviaryWire
import Crypto

extension Authentication {
    /// With the digest that ZooKeeper uses unless it is told otherwise: SHA-1, in base64.
    init(superDigest: String?) {
        self.init(superDigest: superDigest.map { ByteString($0) }) { bytes in
            Base64.encode(Array(Insecure.SHA1.hash(data: bytes)))
        }
    }
}

/// RFC 4648, section 4, with padding.
enum Base64 {
    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> ByteString {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for index in 0..<4 {
                text.append(
                    index <= group.count
                        ? alphabet[word >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
            }
        }
        return ByteString(text)
    }
}
