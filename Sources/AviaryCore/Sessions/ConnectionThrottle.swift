/// How many handshakes are taken, so that a storm of reconnects does not drown a server: a bucket of
/// tokens, and before it is empty a chance of being dropped that grows while it is (BLUE).
///
/// Source: BlueThrottle, ZooKeeper 3.9.5. Names and defaults are those of `connection_throttle_*`.
package struct ConnectionThrottleSettings: Hashable, Sendable {
    /// How many tokens the bucket holds; 0: there is no throttle.
    package var tokens = 0
    package var fillTimeMilliseconds = 1
    package var fillCount = 1
    /// The time between two changes of the chance; -1: nobody is dropped by chance.
    package var freezeTimeMilliseconds = -1
    package var dropIncrease = 0.02
    package var dropDecrease = 0.002
    /// With no more than this part of the tokens in use, the chance goes down.
    package var decreaseRatio = 0.0
    /// Whether handshakes cost different numbers of tokens.
    package var isWeighted = false
    package var globalSessionWeight = 3
    package var renewSessionWeight = 2
    package var localSessionWeight = 1

    package init() {}
}

struct ConnectionThrottle: Sendable {
    private let settings: ConnectionThrottleSettings
    private var tokens: Int
    private var filledAt: Int64
    private var changedAt: Int64
    private var random: SeededRandom
    /// From 0 to 1.
    private(set) var dropProbability = 0.0

    /// Tokens that are missing from the bucket.
    var deficit: Int { settings.tokens - tokens }

    init(_ settings: ConnectionThrottleSettings, seed: UInt64, at now: Now) {
        self.settings = settings
        tokens = settings.tokens
        filledAt = now.monotonicMilliseconds
        changedAt = now.monotonicMilliseconds
        random = SeededRandom(seed: seed)
    }

    /// Whether a handshake may go on. Takes the tokens for it.
    mutating func admits(renewal isRenewal: Bool, at now: Now) -> Bool {
        if settings.tokens == 0 { return true }
        fill(at: now.monotonicMilliseconds)
        if settings.freezeTimeMilliseconds != -1 {
            changeProbability(at: now.monotonicMilliseconds)
            if random.fraction() < dropProbability { return false }
        }
        let need =
            settings.isWeighted
            ? isRenewal ? settings.renewSessionWeight : settings.globalSessionWeight : 1
        guard tokens >= need else { return false }
        tokens -= need
        return true
    }

    private mutating func fill(at now: Int64) {
        let passed = now - filledAt
        guard passed > Int64(settings.fillTimeMilliseconds) else { return }
        let filled =
            Double(passed) * Double(settings.fillCount)
            / Double(max(1, settings.fillTimeMilliseconds))
        tokens = min(settings.tokens, tokens + Int(min(filled, Double(settings.tokens))))
        filledAt = now
    }

    private mutating func changeProbability(at now: Int64) {
        guard now - changedAt > Int64(settings.freezeTimeMilliseconds) else { return }
        changedAt = now
        let isLittleUsed =
            deficit <= Int((Double(settings.tokens) * settings.decreaseRatio).rounded())
        if tokens == 0 {
            dropProbability = min(1, dropProbability + settings.dropIncrease)
        } else if isLittleUsed {
            dropProbability = max(0, dropProbability - settings.dropDecrease)
        }
    }
}
