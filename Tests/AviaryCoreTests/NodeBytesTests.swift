import AviaryWire
import Testing

@testable import AviaryCore

struct NodeBytesTests {
    /// On both sides of where a length no longer fits in the first four bytes.
    @Test(arguments: [
        (0, 0), (1, 100), (254, 10), (255, 10), (256, 0), (70_000, 3), (3, 4_194_303),
        (3, 4_194_304), (255, 4_194_304),
    ])
    func `name and data are what they were set to`(name: Int, data: Int) {
        let nameBytes = (0..<name).map { UInt8(truncatingIfNeeded: $0) }
        let dataBytes = (0..<data).map { UInt8(truncatingIfNeeded: $0 ^ 0x55) }
        for isCounted in [true, false] {
            var bytes = NodeBytes(name: nameBytes.raw, data: dataBytes.raw, isCounted: isCounted)
            func check(_ data: [UInt8]?) {
                #expect(bytes.nameLength == name)
                #expect(bytes.dataLength == data?.count ?? 0)
                #expect(bytes.dataIsNull == (data == nil))
                #expect(bytes.isCounted == isCounted)
                #expect([UInt8](copying: bytes.name) == nameBytes)
                #expect([UInt8](copying: bytes.data) == data ?? [])
            }
            check(dataBytes)
            let reversed: [UInt8] = dataBytes.reversed()
            bytes.setData(reversed.raw)
            check(reversed)
            bytes.setData(nil)
            check(nil)
            bytes.setData([UInt8]().raw)
            check([])
            let kept = bytes
            bytes.setData(dataBytes.raw)
            check(dataBytes)
            #expect(kept.dataLength == 0)
        }
    }
}
