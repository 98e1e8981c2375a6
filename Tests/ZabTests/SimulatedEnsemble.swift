import AviaryWire
import NIOCore

@testable import Zab

/// Members, links and time, drawn from one seed. Links keep their order, stall and break; members
/// crash with what their disks had not done; nothing else goes wrong.
final class SimulatedEnsemble {
    indirect enum Happening {
        case vote(Notification, from: Int, to: Int)
        case opened(Int)
        case refused(Int)
        case toLeader(LearnerMessage, Int)
        case toLearner(LeaderMessage, Int)
        case snapshot(Zxid, [Entry], Int)
        /// One end of a connection hears that it is over.
        case lost(Int, atLeader: Bool)
        case disk(Int, life: Int)
        case timer(Int, life: Int)
        case start(Int)
        case mischief
        case propose
    }

    /// A connection between a learner and its leader.
    struct Connection {
        let learner: Int
        let leader: Int
        /// As the learner's peer numbers it.
        let link: LinkID
        let learnerLife: Int
        let leaderLife: Int
        var isOpen = true
        var toLeaderAt: Int64 = 0
        var toLearnerAt: Int64 = 0
    }

    let members: [SimulatedMember]
    /// Says that a log entry is safe before it is; for the test that such a mistake is found.
    let acknowledgesEarly: Bool
    var random: SeededRandom
    var now: Int64 = 0
    var agenda = Agenda<Happening>()
    var connections: [Connection] = []
    var votesAt: [[Int64]]
    /// Until when nothing passes between two members.
    var cutUntil: [[Int64]]
    var faultsEnd: Int64 = 0
    /// How much happens, and how slowly: drawn for each seed.
    let mischiefGap: Int
    let linkDelay: Int
    let diskDelay: Int
    var lastValue: Int64 = 0
    var checker = SimulationChecker()
    private(set) var trace: UInt64 = 14_695_981_039_346_656_037

    init(seed: UInt64, acknowledgesEarly: Bool = false) {
        random = SeededRandom(seed: seed)
        self.acknowledgesEarly = acknowledgesEarly
        mischiefGap = [40, 150, 450][random.below(3)]
        linkDelay = [3, 10, 60][random.below(3)]
        diskDelay = [3, 8, 40][random.below(3)]
        let voters = random.oneIn(3) ? 5 : 3
        let observers = random.below(2)
        let verifier = QuorumVerifier(majorityOf: (0..<voters).map { ServerID(Int64($0)) })
        var shared = QuorumSettings(server: ServerID(0), verifier: verifier)
        shared.tickTime = 100
        shared.minimumNotificationInterval = 20
        shared.maximumNotificationInterval = 400
        shared.finalizeWait = 20
        shared.leaderConnectDelay = 10
        shared.historyLimit = 1 + random.below(20)
        shared.readsLog = random.oneIn(2)
        shared.prefersSnapshots = random.oneIn(2)
        members = (0..<voters + observers).map { index in
            var settings = shared
            settings.server = ServerID(Int64(index))
            settings.isObserver = index >= voters
            return SimulatedMember(settings)
        }
        let none = [[Int64]](
            repeating: [Int64](repeating: 0, count: members.count), count: members.count)
        votesAt = none
        cutUntil = none
    }

    /// Runs with faults and then without, and checks all the way.
    func run(faultsFor duration: Int64, thenFor calm: Int64) {
        faultsEnd = duration
        for index in members.indices { schedule(.start(index), in: Int64(random.below(50))) }
        schedule(.mischief, in: 200)
        schedule(.propose, in: 100)
        while let (time, next) = agenda.next(), time <= duration + calm {
            now = time
            happen(next)
            if checker.violation != nil { return }
        }
    }

    func schedule(_ happening: Happening, in delay: Int64) {
        agenda.add(happening, at: now + max(0, delay))
    }

    func happen(_ happening: Happening) {
        switch happening {
        case .vote(let notification, let from, let to):
            if cutUntil[from][to] > now { return }
            step(to, .vote(notification, from: members[from].id))
        case .opened(let id): open(id)
        case .refused(let id):
            let connection = connections[id]
            if members[connection.learner].life == connection.learnerLife {
                step(connection.learner, .leaderLost(connection.link))
            }
        case .toLeader(let message, let id):
            if connections[id].isOpen {
                step(connections[id].leader, .receivedFromLearner([message], LinkID(UInt64(id))))
            }
        case .toLearner(let message, let id):
            if connections[id].isOpen {
                step(
                    connections[id].learner,
                    .receivedFromLeader([message], connections[id].link))
            }
        case .snapshot(let zxid, let entries, let id):
            guard connections[id].isOpen else { return }
            members[connections[id].learner].receivedSnapshot = entries
            step(connections[id].learner, .snapshotReceived(zxid, connections[id].link))
        case .lost(let id, let atLeader): lose(id, atLeader: atLeader)
        case .disk(let index, let life): workDisk(index, life)
        case .timer(let index, let life):
            guard members[index].life == life, members[index].timer <= now else { return }
            members[index].timer = .max
            if members[index].deadline <= now { step(index, .deadlinePassed) }
            setTimer(index)
        case .start(let index):
            guard !members[index].isUp else { return }
            members[index].start(historyLength: random.below(12))
            step(index, .started)
        case .mischief: makeMischief()
        case .propose: proposeSomething()
        }
    }

    func step(_ index: Int, _ event: QuorumPeer.Event) {
        let member = members[index]
        guard member.isUp else { return }
        var effects: [QuorumPeer.Effect] = []
        member.step(event, at: now, into: &effects)
        for effect in effects.flatMap(\.byLearner) { carryOut(effect, of: index) }
        setTimer(index)
        trace = (trace ^ UInt64(effects.count)) &* 1_099_511_628_211
        trace = (trace ^ UInt64(bitPattern: now)) &* 1_099_511_628_211
    }

    func setTimer(_ index: Int) {
        let member = members[index]
        guard member.isUp, member.deadline < member.timer else { return }
        member.timer = max(member.deadline, now)
        schedule(.timer(index, life: member.life), in: member.timer - now)
    }

    // MARK: Effects

    func carryOut(_ effect: QuorumPeer.Effect, of index: Int) {
        let member = members[index]
        switch effect {
        case .append(let proposal):
            let entry = Entry(proposal)
            member.pending.append(entry)
            order(.append(entry), of: index)
        case .saveEpochs(let accepted, let current):
            order(.saveEpochs(accepted: accepted, current: current), of: index)
        case .truncate(let zxid): order(.truncate(after: zxid), of: index)
        case .installSnapshot(let zxid):
            order(.install(zxid, member.receivedSnapshot), of: index)
        case .commit(let zxid):
            member.apply(upTo: zxid)
            checker.committed(by: member, among: members, isTrusted: !acknowledgesEarly)
        case .adopt(let zxid): member.apply(upTo: zxid)
        case .startEpoch(let zxid):
            member.lastProposed = zxid
            if member.role == .leading { checker.established(zxid.epoch, by: member) }
        case .changed(let role):
            if role != .looking {
                checker.committed(by: member, among: members, isTrusted: !acknowledgesEarly)
            }
            if role == .leading { checker.holdsAll(member) }
        case .vote(let notification, let server): vote(notification, index, Int(server.rawValue))
        case .listen: member.isListening = true
        case .disconnectLearners: disconnectLearners(of: index)
        case .connect(let server, let link): connect(index, to: Int(server.rawValue), link)
        default: carryOutOnLink(effect, of: index)
        }
    }

    func carryOutOnLink(_ effect: QuorumPeer.Effect, of index: Int) {
        switch effect {
        case .sendToLearner(let message, let link):
            transmit(.toLearner(message.throughTheWire, Int(link.rawValue)), on: link)
        case .sendSnapshot(let zxid, let link):
            transmit(.toLearner(.snap(zxid), Int(link.rawValue)), on: link)
            transmit(.snapshot(zxid, members[index].tree, Int(link.rawValue)), on: link)
        case .readLog(let start, let end, let link):
            step(index, .logRead(readLog(of: index, from: start, through: end), link))
        case .disconnectLearner(let link): close(Int(link.rawValue), byLeader: true)
        case .sendToLeader(let message, let link):
            if let id = connection(of: index, link) {
                sendToLeader(message.throughTheWire, on: id)
            }
        case .disconnectLeader(let link):
            if let id = connection(of: index, link) { close(id, byLeader: false) }
        case .answerPing(let zxid, let link):
            if let id = connection(of: index, link) {
                sendToLeader(.ping(zxid, touched: []), on: id)
            }
        default: break
        }
    }

    func readLog(of index: Int, from start: Zxid, through end: Zxid) -> [Proposal]? {
        let log = members[index].disk.log
        guard let first = log.lastIndex(where: { $0.zxid <= start }), !random.oneIn(4) else {
            return nil
        }
        return log[first...].prefix { $0.zxid <= end }.map(\.proposal)
    }

    // MARK: Disk

    func order(_ order: SimulatedDisk.Order, of index: Int) {
        let member = members[index]
        member.disk.orders.append(order)
        if acknowledgesEarly, case .append(let entry) = order {
            // The mistake that is to be found.
            step(index, .persisted(entry.zxid))
        }
        guard !member.isDiskBusy else { return }
        member.isDiskBusy = true
        let delay = random.oneIn(20) ? random.below(200) : random.below(diskDelay)
        schedule(.disk(index, life: member.life), in: Int64(delay))
    }

    func workDisk(_ index: Int, _ life: Int) {
        let member = members[index]
        guard member.life == life, member.isUp else { return }
        member.isDiskBusy = false
        let event = member.disk.carryOutNext(atMost: 1 + random.below(6))
        if !member.disk.orders.isEmpty {
            member.isDiskBusy = true
            schedule(.disk(index, life: life), in: Int64(random.below(diskDelay)))
        }
        guard let event else { return }
        if acknowledgesEarly, case .persisted = event { return }
        step(index, event)
    }
}

extension LearnerMessage {
    /// As the other side reads it.
    fileprivate var throughTheWire: LearnerMessage {
        var arrived = PacketBuffer(of: write)
        var read: [[LearnerMessage]] = []
        let isReadable = (try? arrived.takeMessages(QuorumPacketDecoder(), into: &read)) != nil
        precondition(isReadable && read == [[self]], "it is read as it was written")
        return read[0][0]
    }
}

extension LeaderMessage {
    /// As the other side reads it.
    fileprivate var throughTheWire: LeaderMessage {
        var arrived = PacketBuffer(of: write)
        var read: [LeaderMessage] = []
        let isReadable = (try? arrived.takeMessages(QuorumPacketDecoder(), into: &read)) != nil
        precondition(isReadable && read == [self], "it is read as it was written")
        return read[0]
    }
}
