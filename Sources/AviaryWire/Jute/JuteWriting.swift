package import NIOCore

extension ByteBuffer {
    package mutating func writeBool(_ value: Bool) {
        writeInteger(value ? 1 : 0, as: UInt8.self)
    }

    /// A buffer or string; nil is written as null.
    package mutating func writeJute(_ bytes: [UInt8]?) {
        guard let bytes else {
            writeInteger(-1, as: Int32.self)
            return
        }
        writeInteger(Int32(bytes.count))
        writeBytes(bytes)
    }

    package mutating func writeJute(_ string: ByteString?) {
        writeJute(string?.bytes)
    }

    package mutating func writeJute(_ path: Path) {
        writeJute(path.bytes)
    }

    package mutating func writeJute(_ bytes: RawSpan) {
        writeInteger(Int32(bytes.byteCount))
        writeBytes(bytes)
    }

    package mutating func writeVector<Element>(
        _ elements: [Element], _ writeElement: (inout ByteBuffer, Element) -> Void
    ) {
        writeInteger(Int32(elements.count))
        for element in elements { writeElement(&self, element) }
    }

    /// Leaves room for a frame's length, to be filled in by `endFrame`.
    package mutating func beginFrame() -> Int {
        let start = writerIndex
        writeInteger(0, as: Int32.self)
        return start
    }

    package mutating func endFrame(_ start: Int) {
        setInteger(Int32(clamping: writerIndex - start - 4), at: start)
    }
}
