import Glibc
import Synchronization

/// Ports of the loopback interface on which nobody listens.
///
/// They are below those that the system gives to clients: a server may be down for a while, and
/// nobody's connection is to have its port then.
enum FreePorts {
    private static let range = 10_000..<32_768
    private static let mostAttempts = 10_000
    /// Those of this process, each given once: tests run side by side, and between the look at a port
    /// and the server that opens it another might get it too.
    private static let given = Mutex<Set<Int>>([])

    /// As many ports as asked for, all different.
    static func find(_ count: Int) throws(TestingError) -> [Int] {
        var ports: Set<Int> = []
        for _ in 0..<mostAttempts where ports.count < count {
            let port = Int.random(in: range)
            let isNew = given.withLock { $0.insert(port).inserted }
            if isNew, canListen(port) { ports.insert(port) }
        }
        guard ports.count == count else {
            throw TestingError(
                "no \(count) free ports between \(range.lowerBound) and \(range.upperBound) on "
                    + "127.0.0.1; end what listens there")
        }
        return Array(ports)
    }

    private static func canListen(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, length)
            }
        }
        return result == 0
    }
}
