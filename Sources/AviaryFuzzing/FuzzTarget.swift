/// What is fuzzed: each target takes any bytes, and stops the program if something that must hold
/// does not. Nothing is random in it: the same bytes do the same again.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A fresh connection's first frame, and what follows.
    case handshake
    /// Requests on established sessions, cut into socket reads, with the disk at any pace.
    case frames
    /// The body of a multi or multiRead.
    case multi
    /// Tokens of SASL DIGEST-MD5.
    case sasl
    /// The texts that say who may authenticate by SASL.
    case saslUsers = "sasl-users"
    /// A transaction log.
    case transactionLog = "transaction-log"
    /// A snapshot.
    case snapshot

    package func run(_ bytes: [UInt8]) {
        switch self {
        case .handshake: fuzzHandshake(bytes)
        case .frames: fuzzFrames(bytes)
        case .multi: fuzzMulti(bytes)
        case .sasl: fuzzSASL(bytes)
        case .saslUsers: fuzzSASLUsers(bytes)
        case .transactionLog: fuzzTransactionLog(bytes)
        case .snapshot: fuzzSnapshot(bytes)
        }
    }

    /// Longer inputs are of no use: in bytes.
    package var maximumByteCount: Int {
        switch self {
        case .handshake, .frames, .multi: 8192
        case .sasl, .saslUsers: 4096
        case .transactionLog, .snapshot: 20_000
        }
    }

    /// Where in an input the frames begin, each with its length before it; nil if it has none.
    package func framesStart(in bytes: [UInt8]) -> Int? {
        switch self {
        case .handshake, .frames:
            guard bytes.count > 2 else { return nil }
            let start = 2 + Int(bytes[1])
            return start < bytes.count ? start : nil
        case .multi, .sasl, .saslUsers, .transactionLog, .snapshot: return nil
        }
    }
}
