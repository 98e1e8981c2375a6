import AviaryFuzzing
import CFuzzer

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Between libFuzzer, which calls C functions, and the target that was chosen.
enum FuzzerDriver {
    /// Set once, before libFuzzer runs, which uses one thread for inputs.
    nonisolated(unsafe) static var target = FuzzTarget.frames

    /// In bytes: far more than an input of the longest kind has a right to.
    static let largestAllocation = 512 << 10

    /// - Parameter isTargetAnArgument: the first argument is ours and not for libFuzzer.
    /// - Returns: what the process is to exit with.
    static func run(isTargetAnArgument: Bool) -> CInt {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
            unsafe CommandLine.unsafeArgv
        if isTargetAnArgument {
            unsafe arguments?[1] = CommandLine.unsafeArgv[0]
            unsafe arguments? += 1
            count -= 1
        }
        return unsafe LLVMFuzzerRunDriver(&count, &arguments) { data, size in
            let bytes = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
            aviary_limit_allocations(FuzzerDriver.largestAllocation)
            unsafe FuzzerDriver.target.run(bytes)
            aviary_limit_allocations(.max)
            return 0
        }
    }
}

/// libFuzzer's own changes, but for targets of frames mostly to one frame, whose length is put right:
/// else hardly any input would get past its first frames.
@_cdecl("LLVMFuzzerCustomMutator")
func mutate(
    _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximumSize: Int, _ seed: UInt32
) -> Int {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size))
    guard seed % 4 != 0, let start = unsafe FuzzerDriver.target.framesStart(in: bytes) else {
        return unsafe LLVMFuzzerMutate(data, size, maximumSize)
    }
    let frames = FrameList(bytes[start...])
    guard let frame = frames.frames.indices.randomElement(seed: seed / 4) else {
        return unsafe LLVMFuzzerMutate(data, size, maximumSize)
    }
    var changed = frames
    let room = maximumSize - size
    var content = frames.frames[frame]
    let count = content.count
    content += [UInt8](repeating: 0, count: max(0, room))
    let length = unsafe content.withUnsafeMutableBufferPointer { buffer in
        unsafe LLVMFuzzerMutate(buffer.baseAddress, count, buffer.count)
    }
    changed.frames[frame] = Array(content.prefix(length))
    let result = (bytes[..<start] + changed.bytes).prefix(maximumSize)
    for (index, byte) in result.enumerated() { unsafe data[index] = byte }
    return result.count
}

extension Range<Int> {
    fileprivate func randomElement(seed: UInt32) -> Int? {
        isEmpty ? nil : lowerBound + Int(seed) % count
    }
}
