import AviaryWire
import DequeModule

/// When containers that have served and nodes whose time to live is over are looked for, and how
/// fast they are deleted.
///
/// Source: ContainerManager, ZooKeeper 3.9.5, which spaces single deletes; here a tenth of a
/// second's worth go together.
struct ContainerReaper: Sendable {
    private let intervalMilliseconds: Int64
    private let perStep: Int
    private let stepMilliseconds: Int64
    private var nextCheck: Int64
    private var nextStep: Int64
    private var queue: Deque<Path> = []

    init(settings: ServerSettings, at now: Now) {
        intervalMilliseconds = settings.containerCheckIntervalMilliseconds
        let minute: Int64 = 60_000
        perStep = max(1, settings.maximumContainersPerMinute / 600)
        stepMilliseconds = max(100, minute / Int64(max(1, settings.maximumContainersPerMinute)))
        nextCheck = now.monotonicMilliseconds + intervalMilliseconds
        nextStep = nextCheck
    }

    /// In monotonic milliseconds.
    var deadline: Int64 { queue.isEmpty ? nextCheck : nextStep }

    /// Whether the tree is to be searched now.
    mutating func isCheckDue(at now: Now) -> Bool {
        guard queue.isEmpty, nextCheck <= now.monotonicMilliseconds else { return false }
        nextCheck = now.monotonicMilliseconds + intervalMilliseconds
        nextStep = now.monotonicMilliseconds
        return true
    }

    mutating func add(_ paths: [Path]) { queue.append(contentsOf: paths) }

    /// What is to be deleted now, if it still qualifies.
    mutating func take(at now: Now) -> [Path] {
        guard !queue.isEmpty, nextStep <= now.monotonicMilliseconds else { return [] }
        nextStep = now.monotonicMilliseconds + stepMilliseconds
        let count = min(perStep, queue.count)
        defer { queue.removeFirst(count) }
        return Array(queue.prefix(count))
    }
}

extension NodeState {
    /// Whether the reaper may delete the node.
    ///
    /// - Parameter time: wall clock, milliseconds since 1970.
    func isReapable(at time: Int64, _ settings: ServerSettings) -> Bool {
        guard exists, numChildren == 0 else { return false }
        if stat.owner.isContainer {
            let limit = settings.containerNeverUsedMilliseconds
            return stat.cversion > 0 || (limit > 0 && time - stat.mtime > limit)
        }
        guard settings.extendedTypes, let ttl = stat.owner.ttlMilliseconds else { return false }
        return time - stat.mtime > ttl
    }
}

extension ServerCore {
    /// Looks for what is to go, and proposes the next few deletes.
    mutating func reap(at now: Now, into effects: inout StepEffects) {
        let time = now.wallMilliseconds
        if reaper.isCheckDue(at: now) {
            let due = tree.reapable.sorted().filter { id in
                state(of: id).isReapable(at: time, settings)
            }
            reaper.add(due.map { tree.path(of: $0) })
        }
        for path in reaper.take(at: now) {
            guard let node = state(of: path.bytes.raw),
                node.isReapable(at: time, settings),
                let parentLength = path.parentLength
            else { continue }
            recordDelete(of: path.bytes.raw, parentLength, node, zxid: lastProposed.next)
            propose(
                .delete(path), as: .deleteContainer, session: .none, xid: 0, for: nil, at: now,
                into: &effects)
        }
    }
}
