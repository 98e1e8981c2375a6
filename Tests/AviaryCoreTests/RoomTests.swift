import AviaryWire
import CMalloc
import Testing

@testable import AviaryCore

/// Memory that comes back when a crowd has gone.
struct RoomTests {
    /// In a process of its own, since what is allocated is counted for the whole process.
    @Test func `a crowd of sessions that is gone leaves no memory behind`() async {
        await #expect(processExitsWith: .success) {
            let harness = CoreHarness()
            let early = harness.client()
            harness.comeAndGo(100)
            let before = aviary_malloc_used()
            harness.comeAndGo(10_000)
            let grown = Int(aviary_malloc_used()) - Int(before)
            precondition(grown < 2 << 20, "\(grown) bytes are left of a crowd")
            precondition(harness.core.connectionCount == 1, "only the first client is there")
            early.disconnect()
        }
    }

    @Test func `a table grows only when it has no vacancy, and ends with what is in use`() {
        var random = SeededRandom(seed: 5)
        var table: ContiguousArray<Bool> = []
        var vacancies = Vacancies()
        var model: Set<Int> = []
        for step in 0..<20_000 {
            // It grows and shrinks in turns.
            let grows = random.below(10) < (step / 2000 % 2 == 0 ? 7 : 3)
            if grows || model.isEmpty {
                let hadVacancy = model.count < table.count
                let number = vacancies.take(below: table.count).map { Int($0) } ?? table.count
                #expect((number < table.count) == hadVacancy)
                #expect(model.insert(number).inserted)
                if number == table.count { table.append(true) } else { table[number] = true }
            } else if let number = model.sorted().dropFirst(random.below(model.count)).first {
                model.remove(number)
                table[number] = false
                table.cutEnd { !$0 }
                vacancies.add(UInt32(number), below: table.count)
            }
            #expect(table.count == (model.max() ?? -1) + 1)
        }
    }

    @Test func `a table that was cut keeps what was before the cut`() {
        var table = ContiguousArray(0..<100_000)
        table.cutEnd(keeping: 2) { $0 >= 70_000 }
        #expect(table.count == 70_002)
        table.cutEnd { $0 >= 10 }
        #expect(table == ContiguousArray(0..<10))
        #expect(table.capacity < 1000)
    }

    @Test func `a dictionary that a crowd has left is small, and holds what is left`() {
        var dictionary: [Int: Int] = [:]
        for key in 0..<100_000 { dictionary[key] = -key }
        for key in 5..<100_000 {
            dictionary[key] = nil
            dictionary.giveBackRoom()
        }
        #expect(dictionary == [0: 0, 1: -1, 2: -2, 3: -3, 4: -4])
        #expect(dictionary.capacity < 20_000)
    }

    @Test func `a backlog keeps its order when it has been long`() {
        var backlog = Backlog<Int>()
        for round in 1...3 {
            for number in 0..<(round * 10_000) { backlog.append(number) }
            #expect(backlog.popFirst { $0 > 0 } == nil)
            for number in 0..<(round * 10_000) { #expect(backlog.popFirst() == number) }
            #expect(backlog.isEmpty)
            #expect(backlog.popFirst() == nil)
        }
    }
}

extension CoreHarness {
    /// Clients from an address each, with an ephemeral node and a watch, which leave without a word;
    /// then their sessions expire.
    fileprivate func comeAndGo(_ count: Int) {
        var crowd: [TestClient] = []
        for number in 0..<count {
            let client = client(host: ByteString("10.0.\(number >> 8).\(number & 255)"))
            _ = client.create("/n\(number)", flags: 1)
            _ = client.exists("/other\(number)", watch: true)
            crowd.append(client)
        }
        for client in crowd { client.disconnect() }
        advance(milliseconds: 60_000)
        persist()
        forgetDisk()
    }
}
