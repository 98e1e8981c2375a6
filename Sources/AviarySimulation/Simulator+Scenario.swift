import AviaryCore
import Zab

/// Faults that a scenario tells of.
extension Simulator {
    func carryOut(_ fault: Scenario.Fault) {
        switch fault {
        case .crash(let target): if let index = find(target) { crash(index) }
        case .pause(let target, let length):
            if let index = find(target) { pause(index, until: now + length) }
        case .isolate(let target, let length):
            guard let index = find(target) else { return }
            for other in members.indices where other != index {
                cut(index, other, until: now + length, isOneWay: false, breaks: false)
            }
        case .cut(let one, let other, let length):
            guard members.indices.contains(one), members.indices.contains(other) else { return }
            cut(one, other, until: now + length, isOneWay: false, breaks: false)
        case .stallDisk(let target, let length):
            guard let index = find(target) else { return }
            statistics[.diskStalls] += 1
            members[index].diskStalledUntil = now + length
        case .failPower: failPower()
        }
    }

    private func find(_ target: Scenario.Target) -> Int? {
        switch target {
        case .leader: leader
        case .member(let index): members.indices.contains(index) ? index : nil
        }
    }
}

extension Knobs {
    private static var settable: [String: WritableKeyPath<Knobs, Int>] {
        [
            "voters": \.voters, "observers": \.observers, "clients": \.clients,
            "historyLimit": \.historyLimit, "snapCount": \.snapCount,
            "snapshotsKept": \.snapshotsKept, "linkDelayMicroseconds": \.linkDelay,
            "busyReaders": \.busyReaders,
            "diskDelayMicroseconds": \.diskDelay, "thinkTimeMicroseconds": \.thinkTime,
            "pipelineDepth": \.pipelineDepth, "sessionTicks": \.sessionTicks,
            "faultTicks": \.faultTicks, "faultGapMicroseconds": \.faultGap,
            "faultLengthMicroseconds": \.faultLength, "maximumFrameLength": \.maximumFrameLength,
            "maximumTransactionBytes": \.maximumTransactionBytes,
            "ephemeralsPerSession": \.ephemeralsPerSession,
        ]
    }

    private static var switches: [String: WritableKeyPath<Knobs, Bool>] {
        [
            "readsLog": \.readsLog, "prefersSnapshots": \.prefersSnapshots,
            "leaderServes": \.leaderServes, "crashesOnly": \.crashesOnly,
            "diskFaults": \.diskFaults, "localSessions": \.localSessions,
            "localSessionsUpgrading": \.localSessionsUpgrading, "readOnlyMode": \.readOnlyMode,
            "hasForeignRequests": \.hasForeignRequests,
        ]
    }

    static func canSet(_ name: String, to value: Int) -> Bool {
        if switches[name] != nil { return value == 0 || value == 1 }
        let isLarge = value > 0 || name == "observers" || name == "snapshotsKept"
        let isOther = ["tickMilliseconds", "endOfEpoch"].contains(name)
        return (settable[name] != nil || isOther) && isLarge && value >= 0 && value < 1 << 31
    }

    /// The names are those that a run prints.
    mutating func set(_ name: String, to value: Int) {
        if let path = Self.settable[name] { self[keyPath: path] = value }
        if let path = Self.switches[name] { self[keyPath: path] = value == 1 }
        if name == "tickMilliseconds" { tick = Int64(value) * 1000 }
        if name == "endOfEpoch" { endOfEpoch = UInt32(value) }
    }
}
