import CZlib

/// A gzip stream that is read in pieces. Its pointers are set for the length of a call only.
@safe final class Gunzip {
    private var stream = unsafe z_stream()
    private let isReady: Bool
    private(set) var isAtEnd = false

    private static let windowBits: Int32 = 15
    /// Added to the window's bits: the stream has gzip's head and checksum.
    private static let gzip: Int32 = 16
    private static let pieceByteCount = 256 << 10

    init() {
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        isReady =
            unsafe inflateInit2_(&stream, Self.windowBits + Self.gzip, ZLIB_VERSION, size) == Z_OK
    }

    deinit { _ = unsafe inflateEnd(&stream) }

    /// - Parameter take: what the bytes hold, in pieces.
    /// - Returns: false if the bytes do not go on as a gzip stream.
    func add(_ bytes: [UInt8], _ take: ([UInt8]) -> Void) -> Bool {
        guard isReady else { return false }
        var input = bytes
        return unsafe input.withUnsafeMutableBufferPointer { input in
            unsafe stream.next_in = input.baseAddress
            unsafe stream.avail_in = UInt32(input.count)
            while unsafe !isAtEnd && stream.avail_in > 0 {
                var result = Z_OK
                let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceByteCount) {
                    output, count in
                    unsafe stream.next_out = output.baseAddress
                    unsafe stream.avail_out = UInt32(Self.pieceByteCount)
                    result = unsafe inflate(&stream, Z_NO_FLUSH)
                    count = unsafe Self.pieceByteCount - Int(stream.avail_out)
                }
                guard result == Z_OK || result == Z_STREAM_END else { return false }
                take(piece)
                isAtEnd = result == Z_STREAM_END
            }
            return true
        }
    }
}

/// A gzip stream that is written in pieces. Its pointers are set for the length of a call only.
@safe final class Gzip {
    private var stream = unsafe z_stream()
    private let isReady: Bool

    private static let windowBits: Int32 = 15
    private static let gzip: Int32 = 16
    private static let memoryLevel: Int32 = 8
    private static let pieceByteCount = 64 << 10

    init() {
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        isReady =
            unsafe deflateInit2_(
                &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, Self.windowBits + Self.gzip,
                Self.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
    }

    deinit { _ = unsafe deflateEnd(&stream) }

    /// - Parameter isLast: the stream ends behind the bytes.
    /// - Returns: what is to be written next; it may be nothing.
    func add(_ bytes: [UInt8], isLast: Bool) -> [UInt8] {
        precondition(isReady, "zlib has the memory it asks for")
        var output: [UInt8] = []
        var input = bytes
        unsafe input.withUnsafeMutableBufferPointer { input in
            unsafe stream.next_in = input.baseAddress
            unsafe stream.avail_in = UInt32(input.count)
            repeat {
                output += unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceByteCount) {
                    piece, count in
                    unsafe stream.next_out = piece.baseAddress
                    unsafe stream.avail_out = UInt32(Self.pieceByteCount)
                    _ = unsafe deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    count = unsafe Self.pieceByteCount - Int(stream.avail_out)
                }
            } while unsafe stream.avail_out == 0
        }
        return output
    }
}
