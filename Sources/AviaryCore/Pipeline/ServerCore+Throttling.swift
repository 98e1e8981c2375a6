import AviaryWire

/// What clients may have on its way at once. Nothing is refused for being too much: the connection
/// is not read until some of it is done.
///
/// Source: RequestThrottler and ZooKeeperServer.shouldThrottle, ZooKeeper 3.9.5. The bounds in bytes
/// are Aviary's own.
extension ServerCore {
    package var outstandingCount: Int { inFlight.count + forwarded.count + parkedCount }

    /// Puts something behind what a connection waits for already.
    mutating func wait(_ next: Connection.Waiting, on slot: UInt32) {
        if case .inFlight = next {} else { parkedCount += 1 }
        outstandingCost += next.cost
        if isLarge(next.cost) { largeBytes += next.cost }
        connections[slot].wait(next)
    }

    mutating func popWaiting(on slot: UInt32) -> Connection.Waiting? {
        guard let first = connections[slot].popWaiting() else { return nil }
        if case .inFlight = first {} else { parkedCount -= 1 }
        outstandingCost -= first.cost
        if isLarge(first.cost) { largeBytes -= first.cost }
        return first
    }

    private func isLarge(_ bytes: Int) -> Bool {
        settings.largeRequestThresholdBytes > 0 && bytes > settings.largeRequestThresholdBytes
    }

    /// Whether a request would be one large one too many.
    func isTooLarge(_ bytes: Int) -> Bool {
        isLarge(bytes) && largeBytes + bytes > settings.largeRequestMaximumBytes
    }

    /// Whether nothing more is taken from a connection for now.
    ///
    /// - Parameter frameBytes: the size of what would be taken next.
    func isThrottled(_ slot: UInt32, frameBytes: Int) -> Bool {
        if settings.requestThrottleMaxRequests > 0
            && outstandingCount >= settings.requestThrottleMaxRequests
        {
            return true
        }
        // Whoever waits for nothing may always ask for one thing, if it is not large.
        if connections[slot].waiting.isEmpty {
            return outstandingCost > settings.maximumOutstandingBytes
                && frameBytes > Self.smallFrameBytes
        }
        return outstandingCount > settings.globalOutstandingLimit
            || outstandingCost > settings.maximumOutstandingBytes
            || connections[slot].waitingCost > settings.maximumWaitingBytes
    }

    /// What the driver is to do with a connection's socket next.
    mutating func next(on slot: UInt32, at now: Now) -> Outbox.Next {
        let left = connections[slot].hasFrames ? connections[slot].leftFrameBytes : 0
        if isThrottled(slot, frameBytes: left) {
            if connections[slot].hasFrames && connections[slot].heldSince == nil {
                connections[slot].heldSince = now.monotonicMilliseconds
            }
            if !connections[slot].isHeld {
                connections[slot].isHeld = true
                held.append(connections[slot].id)
                statistics.throttleWaits += 1
            }
            return .wait
        }
        return connections[slot].hasFrames ? .takeMore : .read
    }

    /// Some of what was outstanding is done: those that were held because of it may go on.
    mutating func releaseHeld(into effects: inout StepEffects) {
        if held.isEmpty || outstandingCount > settings.globalOutstandingLimit { return }
        var candidates: [ConnectionID] = []
        swap(&candidates, &held)
        for id in candidates where connections.contains(id) {
            if isThrottled(id.slot, frameBytes: connections[id.slot].leftFrameBytes) {
                held.append(id)
            } else {
                connections[id.slot].isHeld = false
                list(id.slot, in: &effects)
            }
        }
    }

    /// Whether what a connection sent was held for longer than it is worth
    /// (`throttled_op_wait_time`). It is taken now.
    mutating func takeHold(on slot: UInt32, at now: Now) -> Bool {
        guard let since = connections[slot].heldSince else { return false }
        connections[slot].heldSince = nil
        let limit = settings.throttledOpWaitMilliseconds
        return limit > 0 && now.monotonicMilliseconds - since > limit
    }

    /// About how many bytes the answer to a read will take.
    func estimatedReplyBytes(_ code: OpCode, _ source: JuteReader) -> Int {
        var reader = source
        switch code {
        case .getData, .getChildren, .getChildren2:
            guard let range = try? reader.readRange(), let id = tree.find(reader.span(range))
            else { return Self.smallReplyBytes }
            let perChild = 32
            return code == .getData
                ? Self.smallReplyBytes + tree.nodes[id].dataLength
                : Self.smallReplyBytes + Int(tree.nodes[id].numChildren) * perChild
        case .multiRead, .getEphemerals: return settings.maximumReplyBatchBytes
        default: return Self.smallReplyBytes
        }
    }

    private static let smallFrameBytes = 4096
    /// A header and a Stat.
    private static let smallReplyBytes = 128
}
