import AviaryCore
import AviaryStorage
import AviaryWire
import DequeModule
import NIOCore
import Zab

/// A machine of the ensemble: its disk and its clocks outlive a crash, the server on it does not.
final class SimulatedMember {
    let index: Int
    let settings: ServerSettings
    let quorum: QuorumSettings
    let disk: SimulatedDisk
    /// Nil while it is down.
    var server: LiveServer?
    /// Goes up with each start, so that what belongs to an earlier life is told apart.
    var life = 0
    var clock: SimulatedClock
    /// It does not run until then.
    var pausedUntil: Int64?
    /// What is to happen to it when it runs again, in order.
    var backlog: [Happening] = []
    var diskStalledUntil: Int64 = 0
    var diskFaultsUntil: Int64 = 0

    // What the checker knows.
    /// The end of what its disk surely holds.
    var durable = Zxid.zero
    /// A replacement by this snapshot may or may not have been completed by a crash.
    var replacement: Zxid?

    init(_ index: Int, _ knobs: Knobs, clock: SimulatedClock, diskSeed: UInt64) {
        self.index = index
        self.clock = clock
        settings = knobs.serverSettings(of: Knobs.id(of: index))
        quorum = knobs.quorumSettings(of: index)
        disk = SimulatedDisk(directory: "disk\(index + 1)", seed: diskSeed)
    }

    var id: ServerID { settings.server }
    var isVoter: Bool { quorum.isVoter }
    var role: QuorumPeer.Role? { server?.core.role }

    func now(at time: Int64) -> Now {
        let monotonic = clock.monotonic(at: time)
        return Now(
            monotonicMilliseconds: monotonic / 1000,
            wallMilliseconds: (monotonic + clock.wallOffset) / 1000)
    }
}

/// A member's clocks: neither right nor as fast as another's. In microseconds.
struct SimulatedClock {
    let offset: Int64
    var wallOffset: Int64
    /// Parts per million that it is too fast.
    let drift: Int64

    func monotonic(at time: Int64) -> Int64 { offset + time + time * drift / 1_000_000 }

    /// The first time, or one soon after it, at which the clock shows so many milliseconds.
    func time(of monotonicMilliseconds: Int64) -> Int64 {
        let wanted = monotonicMilliseconds &* 1000 - offset
        return wanted * 1_000_000 / (1_000_000 + drift) + 2
    }
}

/// A server that runs, with what a driver keeps for it.
final class LiveServer {
    let member: Int
    let life: Int
    var core: ServerCore
    var effects = StepEffects()

    // The log thread.
    var log: TransactionLog<SimulatedFiles>
    var store: SnapshotStore<SimulatedFiles>
    var orders: Deque<StepEffects.Disk> = []
    var isDiskBusy = false
    /// The last that was appended to the log and not flushed.
    var unflushed: Zxid?
    /// For sabotage: the last that was acknowledged.
    var acknowledged = Zxid.zero
    var isStalled = false
    /// When the core has been told of all that the disk did so far.
    var toldUntil: Int64 = 0
    /// Something failed after which what is in memory is not to be trusted.
    var mustStop = false
    // The snapshot thread.
    var snapshots: Deque<TreeSnapshot> = []
    var isSnapshotBusy = false

    // The timer.
    var timerAt = Int64.max
    var timerDue: Int64 = 0
    /// The last deadline was given more time.
    var hasWaited = false

    // Links.
    var welcome = Welcome.parking
    /// Learners that wait for this server to lead.
    var parked: [Wire] = []
    /// Those that the core knows, and the one to the leader.
    var learners: [Wire] = []
    var leader: Wire?
    var clients: [Wire] = []

    // What the checker knows.
    /// Appended and not applied: as it is numbered, and as its bytes say.
    var pending: Deque<Pending> = []
    /// The last transaction in the tree.
    var tip: Zxid
    /// The last one in the log.
    var appended: Zxid
    /// How much of the committed history was delivered; nil while that is not decided.
    var delivered: Int?
    /// Where the tree was when it was last compared.
    var seen = Zxid.none
    /// When sessions were last heard, at a leader.
    var heard: [SessionID: Int64] = [:]
    var leadsSince: Int64 = 0
    /// The one that it leads, or led last.
    var epoch: UInt32 = 0
    /// Sessions whose end it has proposed because nothing was heard of them.
    var expired: Set<SessionID> = []
    /// For sabotage: what it says in place of what it has proposed.
    var mistakes: [Zxid: ByteBuffer] = [:]
    /// The sessions that were heard since the last ping, at a learner.
    var touched: [SessionID] = []

    enum Welcome {
        case parking
        case listening
        case refusing
    }

    struct Pending {
        let number: Zxid
        let zxid: Zxid
        let hash: UInt64
    }

    init(
        _ member: SimulatedMember, core: consuming ServerCore,
        log: consuming TransactionLog<SimulatedFiles>,
        store: consuming SnapshotStore<SimulatedFiles>
    ) {
        self.member = member.index
        life = member.life
        self.core = core
        self.log = log
        self.store = store
        tip = self.core.tree.lastProcessedZxid
        appended = tip
    }

    /// Another tree has taken the place of the one there was.
    func hasReplacedTree(_ zxid: Zxid) {
        tip = zxid
        appended = zxid
        pending.removeAll()
        delivered = nil
    }
}
