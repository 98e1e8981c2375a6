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

    @Test func `a large one is in parts, and gives back its room`() {
        var random = SeededRandom(seed: 5)
        var index = HashIndex()
        var hashes: [UInt32] = []
        for number in 0..<UInt32(50_000) {
            let hash = UInt32(truncatingIfNeeded: random.next())
            index.insert(hash: hash, number)
            hashes.append(hash)
        }
        func isIn(_ number: Int) -> Bool {
            index.find(hash: hashes[number]) { $0 == number } == UInt32(number)
        }
        #expect(index.count == hashes.count)
        #expect(hashes.indices.allSatisfy(isIn))
        // At most three quarters are used, and at least half of that after growing.
        #expect(index.slotCount > hashes.count * 4 / 3 && index.slotCount < hashes.count * 3)
        for number in hashes.indices where number % 100 != 0 {
            index.remove(hash: hashes[number], UInt32(number))
        }
        #expect(index.count == 500)
        #expect(hashes.indices.allSatisfy { isIn($0) == ($0 % 100 == 0) })
        #expect(index.slotCount * MemoryLayout<UInt64>.stride <= 2 * Room.bytesKept)
    }
}
