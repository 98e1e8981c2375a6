import AviaryCore
import AviaryWire
import Zab

/// What is on the agenda. Members and clients are numbered from 0; a life tells which run of a member
/// is meant.
enum Happening {
    case start(Int)
    case resume(Int)
    case timer(Int, life: Int)
    // The disk.
    case disk(Int, life: Int)
    case snapshots(Int, life: Int)
    case told(DiskReport, Int, life: Int)
    // Links.
    case dialed(Int, Int)
    case vote(from: Int, to: Int)
    case voterLost(Int, at: Int, life: Int)
    case opened(Wire)
    case announce(Wire)
    case unpark(Wire)
    case arrive(Wire, Wire.Side)
    // Clients.
    case outbox(ConnectionID, Int, life: Int)
    case arriveMore(Wire)
    case client(Int)
    // The world.
    case mischief
    /// The fault of this number of the scenario.
    case scripted(Int)
    case inspect

    /// The number of its kind, for the trace.
    var code: Int64 {
        switch self {
        case .start: 1
        case .resume: 2
        case .timer: 3
        case .disk: 4
        case .snapshots: 5
        case .told: 6
        case .dialed: 7
        case .vote: 8
        case .voterLost: 9
        case .opened: 10
        case .announce: 11
        case .unpark: 12
        case .arrive: 13
        case .outbox: 14
        case .client: 15
        case .mischief: 16
        case .inspect: 18
        case .scripted: 20
        case .arriveMore: 19
        }
    }

    /// The node that it happens to; nil if it is none.
    var node: Int? {
        switch self {
        case .start(let member), .timer(let member, _), .disk(let member, _),
            .snapshots(let member, _), .told(_, let member, _), .outbox(_, let member, _):
            member
        case .vote(_, let to): to
        case .voterLost(_, let member, _): member
        case .opened(let wire), .announce(let wire), .unpark(let wire), .arriveMore(let wire):
            wire[.acceptor].node
        case .arrive(let wire, let side): wire[side].node
        case .resume, .dialed, .client, .mischief, .scripted, .inspect: nil
        }
    }
}

/// What the disk has done, on its way to the core.
enum DiskReport {
    case persisted(Zxid)
    case epochsSaved
    case truncated(after: Zxid, TreeBox)
    case snapshotInstalled
    case snapshotEnded
    case stalled(Bool)
    case logRead([Proposal]?, LinkID)
}
