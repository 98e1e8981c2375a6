/// A session's number, unique in the ensemble: the server's id in the top byte, then time, then a
/// counter.
public struct SessionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: Int64

    public init(_ rawValue: Int64) {
        self.rawValue = rawValue
    }

    public static let none = SessionID(0)

    /// The first id that a server gives out after it starts; each next one is one more.
    ///
    /// Source: SessionTrackerImpl.initializeNextSessionId, ZooKeeper 3.9.5.
    package static func first(server: UInt8, monotonicMilliseconds: Int64) -> SessionID {
        let time = (UInt64(bitPattern: monotonicMilliseconds) << 24) >> 8
        return SessionID(Int64(bitPattern: time | UInt64(server) << 56))
    }

    public static func < (left: SessionID, right: SessionID) -> Bool {
        left.rawValue < right.rawValue
    }

    public var description: String { "0x" + String(UInt64(bitPattern: rawValue), radix: 16) }

    /// The 16 bytes that let a client reattach. They follow from the id, so that any server of an
    /// ensemble can check them; they guard against mistakes, not against attackers.
    ///
    /// Source: ZooKeeperServer.generatePasswd (`java.util.Random` seeded with the id), 3.9.5.
    package var password: [UInt8] {
        let mask: UInt64 = 1 << 48 - 1
        var seed = (UInt64(bitPattern: rawValue) ^ 0xB341_5C00 ^ 0x5_DEEC_E66D) & mask
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        for _ in 0..<4 {
            seed = (seed &* 0x5_DEEC_E66D &+ 11) & mask
            let word = UInt32(truncatingIfNeeded: seed >> 16)
            for shift in stride(from: 0, to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(shift)))
            }
        }
        return bytes
    }
}
