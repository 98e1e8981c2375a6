import Testing

@testable import AviaryServer

@Suite struct HealthTests {
    @Test func `the first failure is news, and it is told again every ten seconds`() {
        var health = Health()
        var told: [Int64] = []
        var news: [Int64] = []
        for second: Int64 in 0..<25 {
            if health.failed(at: second * 1000) { news.append(second) }
            if health.isToldNow { told.append(second) }
        }
        #expect(news == [0])
        #expect(told == [0, 10, 20])
        let wasInTrouble = health.succeeded()
        #expect(wasInTrouble)
        let isInTrouble = health.succeeded()
        #expect(!isInTrouble)
    }

    @Test func `a disk that does not answer for five seconds is stalled, and that is news once`() {
        var health = Health()
        health.busySince = 1000
        let looks = [Int64(2000), 6000, 6001, 9000].map { health.newlyStalled(at: $0) }
        #expect(looks == [nil, nil, 5001, nil])
        #expect(health.isStalled)
        let wasInTrouble = health.succeeded()
        #expect(wasInTrouble)
        let later = health.newlyStalled(at: 100_000)
        #expect(later == nil)
    }
}
