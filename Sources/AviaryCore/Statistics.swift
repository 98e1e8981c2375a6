package import AviaryWire

/// Counted since the start or the last `srst`, as `srvr` and `mntr` show it.
package struct Statistics: Sendable {
    package var packetsReceived = 0
    package var packetsSent = 0
    package var bytesReceived = 0
    package var latency = Summary()
    package var readLatency = Distribution()
    package var updateLatency = Distribution()
    package var connectionsRejected = 0
    package var connectionRequests = 0
    package var connectionsDropped = 0
    /// Tokens missing from the bucket of the connection throttle, at each handshake.
    package var connectionTokenDeficit = Summary()
    package var sessionlessConnectionsExpired = 0
    package var sessionsExpired = 0
    package var largeRequestsRejected = 0
    /// How often a connection was not read because too much was outstanding.
    package var throttleWaits = 0
    /// Requests that were held for too long to be carried out.
    package var throttledOperations = 0
    package var revalidations = 0
    package var unsuccessfulHandshakes = 0
    package var authFailures = 0
    package var digestMismatches = 0
    package var proposals = 0
    package var commits = 0
    package var responseSizes = ByteSizes()
    package var proposalSizes = ByteSizes()
    package var watchBytes = 0
    /// Connections that each event was for.
    package var nodeCreatedWatches = Summary()
    package var nodeDeletedWatches = Summary()
    package var nodeChangedWatches = Summary()
    package var nodeChildrenWatches = Summary()
    /// Writes that a quota refused, by the node at the top of its path.
    package var quotaExceeded: [ByteString: Int] = [:]

    package init() {}

    mutating func countWatches(_ count: Int, of type: WatchEventType) {
        switch type {
        case .nodeCreated: nodeCreatedWatches.add(Int64(count))
        case .nodeDeleted: nodeDeletedWatches.add(Int64(count))
        case .nodeDataChanged: nodeChangedWatches.add(Int64(count))
        case .nodeChildrenChanged: nodeChildrenWatches.add(Int64(count))
        }
    }

    /// In bytes; -1 before the first.
    package struct ByteSizes: Sendable, CustomStringConvertible {
        package var last = -1
        package var minimum = -1
        package var maximum = -1
        package var sum = 0

        mutating func add(_ bytes: Int) {
            last = bytes
            minimum = minimum < 0 ? bytes : min(minimum, bytes)
            maximum = max(maximum, bytes)
            sum += bytes
        }

        package var description: String { "\(last)/\(minimum)/\(maximum)" }
    }
}

/// Values that came up; times are in milliseconds.
package struct Summary: Sendable, Hashable {
    package private(set) var count = 0
    package private(set) var sum: Int64 = 0
    package private(set) var minimum: Int64 = 0
    package private(set) var maximum: Int64 = 0
    package private(set) var last: Int64 = 0

    package init() {}

    package var average: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    package mutating func add(_ value: Int64) {
        minimum = count == 0 ? value : min(minimum, value)
        maximum = max(maximum, value)
        count += 1
        sum &+= value
        last = value
    }
}

/// Values and how they are spread, to within a fifth of their size.
package struct Distribution: Sendable, Hashable {
    package private(set) var summary = Summary()
    /// How many values fell between two bounds: the first ones hold one value each, then four share
    /// the way from one power of two to the next.
    private var counts = [Int](repeating: 0, count: bucketCount)

    private static let exactBuckets = 16
    private static let bucketsPerDoubling = 4
    private static let bucketCount = exactBuckets + 24 * bucketsPerDoubling

    package init() {}

    package mutating func add(_ value: Int64) {
        summary.add(value)
        counts[Self.bucket(of: value)] += 1
    }

    /// The value that this part of all values does not pass; 0 if there are none.
    package func percentile(_ part: Double) -> Int64 {
        let wanted = Int((Double(summary.count) * part).rounded(.up))
        var seen = 0
        for bucket in counts.indices {
            seen += counts[bucket]
            if seen > 0 && seen >= wanted {
                return min(Self.upperBound(of: bucket), summary.maximum)
            }
        }
        return 0
    }

    private static func bucket(of value: Int64) -> Int {
        if value < exactBuckets { return Int(max(0, value)) }
        let doublings = value.bitWidth - 1 - value.leadingZeroBitCount
        let quarter = Int(value >> (doublings - 2)) & 3
        return min(bucketCount - 1, exactBuckets + (doublings - 4) * bucketsPerDoubling + quarter)
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        if bucket < exactBuckets { return Int64(bucket) }
        let (doublings, quarter) = (bucket - exactBuckets).quotientAndRemainder(
            dividingBy: bucketsPerDoubling)
        return Int64(5 + quarter) << Int64(doublings + 2) - 1
    }
}
