/// An input's bytes, taken from the front.
struct FuzzInput {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isEmpty: Bool { rest.isEmpty }

    /// 0 when nothing is left.
    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// Fewer than asked for when less is left.
    mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken
    }

    mutating func all() -> [UInt8] { take(rest.count) }
}

/// A stream of frames, cut anywhere, that knows where the frame it is in ends.
struct FrameCutter {
    private let bytes: [UInt8]
    private var position = 0
    private var frameEnd = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    /// The next so many bytes, or all to the end of the frame.
    mutating func cut(_ count: Int?) -> [UInt8] {
        let start = position
        let wanted = count.map { min(bytes.count, position + $0) }
        repeat {
            if position == frameEnd { frameEnd = end(ofFrameAt: position) }
            position = min(frameEnd, wanted ?? frameEnd)
        } while position < wanted ?? 0
        return Array(bytes[start..<position])
    }

    /// What is left of a frame that has begun.
    mutating func cutToEndOfFrame() -> [UInt8] {
        position == frameEnd ? [] : cut(nil)
    }

    /// A length that makes no sense has no end.
    private func end(ofFrameAt start: Int) -> Int {
        guard bytes.count - start >= 4 else { return bytes.count }
        let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        return length > bytes.count - start - 4 ? bytes.count : start + 4 + length
    }
}

/// Frames without their lengths, and what follows the last whole one.
package struct FrameList: Sendable {
    package var frames: [[UInt8]] = []
    private var rest: [UInt8] = []

    package init(_ bytes: some Collection<UInt8>) {
        var cutter = FrameCutter(Array(bytes))
        while !cutter.isAtEnd {
            let frame = cutter.cut(nil)
            let length = frame.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            if frame.count >= 4 && length == frame.count - 4 {
                frames.append(Array(frame.dropFirst(4)))
            } else {
                rest += frame
            }
        }
    }

    /// The frames with their lengths.
    package var bytes: [UInt8] {
        frames.flatMap { frame in
            (0..<4).map { UInt8(truncatingIfNeeded: frame.count >> (24 - 8 * $0)) } + frame
        } + rest
    }
}
