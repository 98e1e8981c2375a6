/// Joins the commits that come in one read of a link, so that each is not a step of its own.
///
/// They are told after the proposals that came between and behind them, which makes no difference:
/// a commit is about what was proposed before it.
package struct CommitRun: Sendable {
    private var first = Zxid.none
    private var count = 0

    package init() {}

    /// Lets the messages through that may go on, in their order.
    package mutating func pass(_ message: LeaderMessage, _ deliver: (LeaderMessage) -> Void) {
        switch message {
        case .commit(let zxid, let more):
            if count > 0, zxid.comes(count, after: first) {
                count += more
            } else {
                end(deliver)
                first = zxid
                count = more
            }
        case .proposal: deliver(message)
        default:
            end(deliver)
            deliver(message)
        }
    }

    /// To be called when there is no more to read for now.
    package mutating func end(_ deliver: (LeaderMessage) -> Void) {
        guard count > 0 else { return }
        deliver(.commit(first, count: count))
        count = 0
    }
}

extension LearnerMessage {
    /// This message and the next one in one, if both acknowledge and the one goes on where the other
    /// ends. What begins an epoch is acknowledged apart: it means something else.
    package func joined(with next: LearnerMessage) -> LearnerMessage? {
        guard case .ack(let first, let count) = self, first.counter > 0,
            case .ack(let zxid, let more) = next, zxid.comes(count, after: first)
        else { return nil }
        return .ack(first, count: count + more)
    }
}

extension Zxid {
    /// Whether this is so many further in the same epoch.
    package func comes(_ count: Int, after first: Zxid) -> Bool {
        epoch == first.epoch && rawValue - first.rawValue == Int64(count)
    }

    /// The last of so many in a row.
    package func last(of count: Int) -> Zxid { Zxid(rawValue + Int64(count) - 1) }
}
