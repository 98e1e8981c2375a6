import Testing

@testable import AviaryCore

struct HashIndexTests {
    @Test(arguments: [UInt32(1), 3, 97])
    func `the index does what a dictionary does`(spread: UInt32) {
        var random = SeededRandom(seed: UInt64(spread))
        var index = HashIndex()
        var model: Set<UInt32> = []
        // Few hashes for many numbers, so that runs are long and wrap around.
        func hash(_ number: UInt32) -> UInt32 { number % (spread * 5) &* 0x0123_4567 }
        for _ in 0..<3000 {
            let number = UInt32(random.below(200))
            if model.contains(number) {
                index.remove(hash: hash(number), number)
                model.remove(number)
            } else {
                index.insert(hash: hash(number), number)
                model.insert(number)
            }
            #expect(index.count == model.count)
            let probe = UInt32(random.below(200))
            let found = index.find(hash: hash(probe)) { $0 == probe }
            #expect((found != nil) == model.contains(probe))
        }
    }
}
