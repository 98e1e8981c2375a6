import Glibc
import NIOPosix

/// Where the shell's lines come from.
@ShellActor
protocol LineSource {
    /// The next line; nil at the end.
    /// - Parameter prompt: asked for again whenever the line is drawn again.
    func next(prompt: @escaping () -> String) async -> String?
}

/// Standard input, read on a thread of its own so that events are printed meanwhile.
@ShellActor
final class StandardInput {
    private let threads = NIOThreadPool(numberOfThreads: 1)
    private var isStarted = false
    /// What was typed too early for those who took it.
    private var unread: [UInt8] = []
    private var isPolling = false
    private var pollWaiter: CheckedContinuation<Void, Never>?

    nonisolated init() {}

    /// What is there, at least a byte; nil at the end.
    func read() async -> [UInt8]? {
        begin()
        while isPolling {
            await withCheckedContinuation { continuation in
                if isPolling { pollWaiter = continuation } else { continuation.resume() }
            }
        }
        if !unread.isEmpty {
            defer { unread = [] }
            return unread
        }
        let bytes = try? await threads.runIfActive { Self.readNow() }
        return bytes.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Waits for a moment.
    /// - Parameter isOver: whether nobody wants to know any more; then what was typed is for `read`.
    /// - Returns: whether Ctrl-C was typed; what came before it is thrown away.
    func readsInterrupt(unless isOver: () -> Bool) async -> Bool {
        begin()
        isPolling = true
        let read = try? await threads.runIfActive { () -> [UInt8] in
            var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let isReady = unsafe poll(&descriptor, 1, 100) == 1
            return isReady ? Self.readNow() : []
        }
        isPolling = false
        defer {
            pollWaiter?.resume()
            pollWaiter = nil
        }
        let bytes = read ?? []
        if isOver() {
            unread += bytes
            return false
        }
        guard let interrupt = bytes.firstIndex(of: 0x03) else { return false }
        unread += bytes[(interrupt + 1)...]
        return true
    }

    private func begin() {
        if isStarted { return }
        isStarted = true
        threads.start()
    }

    private nonisolated static func readNow() -> [UInt8] {
        while true {
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { room, count in
                count = unsafe max(0, Glibc.read(STDIN_FILENO, room.baseAddress, room.count))
            }
            if bytes.isEmpty && errno == EINTR {
                errno = 0
                continue
            }
            return bytes
        }
    }
}

/// Lines of a file or a pipe.
@ShellActor
final class PipedLines: LineSource {
    /// A line that is longer is given in pieces of this.
    private static let longest = 4 << 20

    private let input = StandardInput()
    private var pending: [UInt8] = []
    private var taken = 0
    private var isAtEnd = false

    nonisolated init() {}

    func next(prompt: @escaping () -> String) async -> String? {
        while true {
            if let end = pending[taken...].firstIndex(of: UInt8(ascii: "\n")) {
                return take(upTo: end, through: end + 1)
            }
            if isAtEnd || pending.count - taken >= Self.longest {
                return pending.count == taken
                    ? nil : take(upTo: pending.count, through: pending.count)
            }
            pending.removeFirst(taken)
            taken = 0
            if let bytes = await input.read() {
                pending += bytes
            } else {
                isAtEnd = true
            }
        }
    }

    private func take(upTo end: Int, through next: Int) -> String {
        defer { taken = next }
        var line = pending[taken..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
    }
}
