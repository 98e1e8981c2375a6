/// Why a testing server did not do what a test asked of it.
public struct TestingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happened and what to do about it, in one line.
    public let message: String

    public var description: String { message }

    init(_ message: String) {
        self.message = message
    }
}

/// Looks again and again until it is so.
///
/// - Parameter claim: what is waited for, as in "did not become true: `claim`".
func wait(
    _ limit: Duration, until claim: String, _ condition: () throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else {
            throw TestingError("after \(limit) it was still not so that \(claim)")
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}
