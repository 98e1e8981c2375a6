/// Counted since the start or the last `srst`, as `srvr` and `mntr` show it.
package struct Statistics: Sendable {
    package var packetsReceived = 0
    package var packetsSent = 0
    package var bytesReceived = 0
    package var latency = LatencySummary()
    package var readLatency = LatencySummary()
    package var updateLatency = LatencySummary()
    package var connectionsRejected = 0
    package var connectionRequests = 0
    package var connectionsDropped = 0
    package var sessionlessConnectionsExpired = 0
    package var sessionsExpired = 0
    package var revalidations = 0
    package var unsuccessfulHandshakes = 0
    package var authFailures = 0
    package var digestMismatches = 0
    package var proposals = 0
    package var commits = 0
    package var responseBytes = ResponseSizes()

    package init() {}

    /// Bytes of replies; -1 before the first.
    package struct ResponseSizes: Sendable {
        package var last = -1
        package var minimum = -1
        package var maximum = -1

        mutating func add(_ bytes: Int) {
            last = bytes
            minimum = minimum < 0 ? bytes : min(minimum, bytes)
            maximum = max(maximum, bytes)
        }
    }
}

/// Milliseconds from a request's arrival to its reply.
package struct LatencySummary: Sendable, Hashable {
    package private(set) var count = 0
    package private(set) var sum: Int64 = 0
    package private(set) var minimum: Int64 = 0
    package private(set) var maximum: Int64 = 0
    package private(set) var last: Int64 = 0

    package init() {}

    package var average: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    mutating func add(_ milliseconds: Int64) {
        minimum = count == 0 ? milliseconds : min(minimum, milliseconds)
        maximum = max(maximum, milliseconds)
        count += 1
        sum += milliseconds
        last = milliseconds
    }
}
