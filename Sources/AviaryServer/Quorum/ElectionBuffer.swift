import AviaryWire
import NIOCore

/// What has come on a link of the election port and is not yet taken.
struct ElectionBuffer {
    /// A frame of which the length is right; its content need not be.
    enum Frame {
        case vote(Notification)
        /// It makes no sense to this version; the next may.
        case unreadable(WireError)
    }

    private var bytes = ByteBuffer()
    private let decoder = FrameDecoder(maximumLength: Notification.maximumLength)

    mutating func append(_ more: ByteBuffer) {
        if bytes.readableBytes == 0 {
            bytes = more
        } else {
            bytes.discardReadBytes()
            bytes.writeImmutableBuffer(more)
        }
    }

    /// Nil if it has not all arrived.
    mutating func takeInitialMessage() throws(WireError) -> InitialMessage? {
        guard let (message, end) = try InitialMessage.first(in: bytes.readableBytesSpan) else {
            return nil
        }
        bytes.moveReaderIndex(forwardBy: end)
        return message
    }

    /// Nil if the next frame has not all arrived.
    mutating func takeFrame() throws(WireError) -> Frame? {
        guard let range = try decoder.nextFrame(in: bytes.readableBytesSpan, from: 0) else {
            return nil
        }
        if range.isEmpty { throw .lengthOutOfBounds(0) }
        let frame = content(range)
        bytes.moveReaderIndex(forwardBy: range.upperBound)
        return frame
    }

    private func content(_ range: Range<Int>) -> Frame {
        var reader = JuteReader(bytes.readableBytesSpan.extracting(range))
        do throws(WireError) {
            return .vote(try Notification(from: &reader))
        } catch {
            return .unreadable(error)
        }
    }

    /// Holds on to no more memory than what waits in it needs.
    mutating func tidy() {
        if bytes.readableBytes == 0 { bytes = ByteBuffer() }
    }
}
