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
        setInteger(Int32(clamping: writerIndex - start - frameLengthByteCount), at: start)
    }
}

/// The length in front of a frame.
let frameLengthByteCount = 4

/// A place for a record whose length is known, filled field by field.
///
/// Each write to a `ByteBuffer` makes sure of its room and of who else holds it, which costs more
/// than the write does; here that is done once for the record.
@safe @usableFromInline package struct JuteFields: ~Copyable {
    @usableFromInline let bytes: UnsafeMutableRawBufferPointer
    @usableFromInline var count = 0

    @inlinable init(_ bytes: UnsafeMutableRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
    }

    @inlinable var isFull: Bool { unsafe count == bytes.count }

    @inlinable @inline(__always)
    package mutating func write<Value: FixedWidthInteger>(_ value: Value) {
        let end = count + MemoryLayout<Value>.size
        unsafe precondition(end <= bytes.count, "the record is no longer than it was said to be")
        unsafe bytes.storeBytes(of: value.bigEndian, toByteOffset: count, as: Value.self)
        count = end
    }

    /// What a buffer or string takes.
    @inlinable package static func byteCount(of source: RawSpan) -> Int { 4 + source.byteCount }

    /// What an array takes, or null.
    package static func byteCount(of source: [UInt8]?) -> Int { 4 + (source?.count ?? 0) }

    @inlinable package func hasRoom(for source: RawSpan) -> Bool {
        unsafe Self.byteCount(of: source) <= bytes.count - count
    }

    @inlinable package mutating func write(_ value: Bool) { write(value ? 1 : 0 as UInt8) }

    /// A buffer or string.
    @inlinable package mutating func write(_ source: RawSpan) {
        write(Int32(source.byteCount))
        writeBytes(source)
    }

    /// As they are, without a length.
    @inlinable package mutating func writeBytes(_ source: RawSpan) {
        let end = count + source.byteCount
        unsafe precondition(end <= bytes.count, "the record is no longer than it was said to be")
        let place = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[count..<end])
        unsafe source.withUnsafeBytes { unsafe place.copyMemory(from: $0) }
        count = end
    }

    /// The same; nil is written as null.
    package mutating func write(_ source: RawSpan?) {
        if let source { write(source) } else { write(Int32(-1)) }
    }

    package mutating func write(_ source: [UInt8]?) {
        write(source?.raw)
    }
}

extension ByteBuffer {
    /// - Precondition: `write` fills exactly so many bytes.
    package mutating func writeFields(byteCount: Int, _ write: (inout JuteFields) -> Void) {
        _ = unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { room in
            let place = unsafe UnsafeMutableRawBufferPointer(rebasing: room[..<byteCount])
            var fields = unsafe JuteFields(place)
            write(&fields)
            precondition(fields.isFull, "the record is as long as it was said to be")
            return byteCount
        }
    }

    /// For what ends when there is no more room: `write` fills some of so many bytes or more.
    package mutating func writeFields(atLeast byteCount: Int, _ write: (inout JuteFields) -> Void) {
        _ = unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { room in
            var fields = unsafe JuteFields(room)
            write(&fields)
            return fields.count
        }
    }
}
