import Glibc

/// What `conf`, `dirs` and `mntr` say of the server's surroundings.
struct ConfigurationText: Sendable {
    private let configuration: ServerConfiguration

    init(_ configuration: ServerConfiguration) {
        self.configuration = configuration
    }

    /// The answer to `conf`.
    ///
    /// - Parameter port: the one that is listened on.
    func text(port: Int) -> String {
        let data = configuration.dataDir + "/version-2"
        let log = configuration.dataLogDir + "/version-2"
        return """
            clientPort=\(port)
            secureClientPort=-1
            dataDir=\(data)
            dataDirSize=\(FileSizes.total(in: data))
            dataLogDir=\(log)
            dataLogSize=\(FileSizes.total(in: log))
            tickTime=\(configuration.tickTimeMilliseconds)
            maxClientCnxns=\(configuration.maxClientCnxns)
            minSessionTimeout=\(configuration.minSessionTimeoutMilliseconds)
            maxSessionTimeout=\(configuration.maxSessionTimeoutMilliseconds)
            clientPortListenBacklog=\(configuration.clientPortListenBacklog)
            serverId=\(configuration.ensemble == nil ? "0" : "\(configuration.server)")

            """ + membership
    }

    /// What `conf` says of an ensemble, without a line's end at the last line.
    ///
    /// Source: QuorumZooKeeperServer.dumpConf, ZooKeeper 3.9.5.
    private var membership: String {
        guard let ensemble = configuration.ensemble,
            let own = ensemble.member(configuration.server)
        else { return "" }
        return """
            initLimit=\(configuration.initLimit)
            syncLimit=\(configuration.syncLimit)
            electionAlg=3
            electionPort=\(Self.text(of: own.addresses.map(\.electionPort)))
            quorumPort=\(Self.text(of: own.addresses.map(\.quorumPort)))
            peerType=\(own.isObserver ? 1 : 0)
            membership:\u{20}
            \(ensemble.text)
            """
    }

    /// Each port once.
    private static func text(of ports: [Int]) -> String {
        Set(ports).sorted().map(String.init).joined(separator: "|")
    }

    /// The answer to `dirs`.
    var directories: String {
        let data = FileSizes.total(in: configuration.dataDir + "/version-2")
        let log = FileSizes.total(in: configuration.dataLogDir + "/version-2")
        return "datadir_size: \(data)\nlogdir_size: \(log)\n"
    }

    /// The answer to `envi`: Apache's keys, less those of a Java machine.
    func environment(version: String) -> String {
        var system = utsname()
        unsafe uname(&system)
        let values =
            [
                ("zookeeper.version", version),
                ("host.name", Self.text(of: system.nodename)),
                ("os.name", Self.text(of: system.sysname)),
                ("os.arch", Self.text(of: system.machine)),
                ("os.version", Self.text(of: system.release)),
                ("user.name", Self.variable("USER")),
                ("user.home", Self.variable("HOME")),
                ("user.dir", Self.variable("PWD")),
            ] + Self.memory
        return "Environment:\n" + values.map { "\($0.0)=\($0.1)\n" }.joined()
    }

    /// Apache's keys for the heap: resident and not used, what there could be, resident in all.
    private static var memory: [(String, String)] {
        guard let (idle, used) = Memory.idle else { return [] }
        return [
            ("os.memory.free", "\(idle >> 20)MB"),
            ("os.memory.max", "\(Memory.machineBytes >> 20)MB"),
            ("os.memory.total", "\((idle + used) >> 20)MB"),
        ]
    }

    private static func variable(_ name: String) -> String {
        guard let value = unsafe getenv(name) else { return "" }
        return unsafe String(cString: value)
    }

    /// The C string in one of `utsname`'s fields.
    private static func text<Field>(of field: Field) -> String {
        unsafe withUnsafeBytes(of: field) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    var fileDescriptors: [(key: String, value: String)] {
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return [
            ("open_file_descriptor_count", "\(FileSizes.names(in: "/proc/self/fd").count)"),
            ("max_file_descriptor_count", "\(limit.rlim_cur)"),
        ]
    }
}

/// Sizes as a listing shows them.
private enum FileSizes {
    /// Bytes of the files of a directory; 0 if it cannot be read.
    static func total(in directory: String) -> Int {
        names(in: directory).reduce(0) { sum, name in
            var info = stat()
            let result = unsafe stat("\(directory)/\(name)", &info)
            return result == 0 ? sum + Int(info.st_size) : sum
        }
    }

    static func names(in directory: String) -> [String] {
        guard let handle = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
