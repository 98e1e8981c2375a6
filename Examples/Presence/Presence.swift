import AviaryClient

/// Is present in /presence for as long as it runs, and tells who comes and goes.
///
///     swift run Presence localhost:2181 alice
@main
struct Presence {
    static func main() async throws {
        let servers = CommandLine.arguments.dropFirst().first ?? "localhost:2181"
        let name = CommandLine.arguments.dropFirst(2).first ?? "somebody"
        try await ZooKeeper.withSession(servers) { zk in
            do {
                try await zk.create("/presence", mode: .container)
            } catch let error as ClientError where error.refusal == .nodeExists {}
            // The watch first: so nobody comes unseen between the list and the events.
            let watch = try await zk.addWatch("/presence", mode: .persistentRecursive)
            try await zk.create("/presence" / name, mode: .ephemeral)
            print("here:", try await zk.getChildren("/presence").sorted())
            for try await event in watch {
                switch event.kind {
                case .created: print("+", event.path.lastComponent)
                case .deleted: print("-", event.path.lastComponent)
                // After a restart of the server, for one: the session and the node lived on.
                case .resync: print("here:", try await zk.getChildren("/presence").sorted())
                case .dataChanged, .childrenChanged: break
                }
            }
        }
    }
}
