import AviaryClient
import Testing

/// Every operation, against Aviary or the servers of AVIARY_CLIENT_SERVERS.
@Suite(.serialized)
struct OperationTests {
    @Test func `a node is created, read, written and deleted`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let created = try await zk.create("/a", Array("one".utf8))
                #expect(created.path == "/a")
                #expect(created.stat.version == 0)
                let read = try await zk.getData("/a")
                #expect(read.text == "one")
                #expect(read.stat == created.stat)
                let written = try await zk.setData("/a", Array("three".utf8), version: 0)
                #expect(written.version == 1)
                #expect(written.dataLength == 5)
                let refused = await failure { () throws(ClientError) in
                    try await zk.delete("/a", version: 0)
                }
                #expect(refused?.refusal == .badVersion)
                #expect(refused?.outcome == .notDone)
                try await zk.delete("/a", version: 1)
                #expect(try await zk.exists("/a") == nil)
                #expect(zk.lastZxid >= written.mzxid)
            }
        }
    }

    @Test func `null data and empty data are told apart`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/null", nil)
                try await zk.create("/empty", [])
                #expect(try await zk.getData("/null").isNull)
                #expect(try await zk.getData("/empty").isNull == false)
            }
        }
    }

    @Test func `every mode makes its kind of node`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let ephemeral = try await zk.create("/e", mode: .ephemeral)
                #expect(ephemeral.stat.ephemeralOwner == zk.sessionID.rawValue)
                let first = try await zk.create("/s-", mode: .persistentSequential)
                let second = try await zk.create("/s-", mode: .ephemeralSequential)
                #expect(first.path.bytes.count == "/s-0000000000".utf8.count)
                #expect(first.path < second.path)
                #expect(Set(try await zk.getEphemerals()) == ["/e", second.path])
                #expect(try await zk.getEphemerals(prefix: "/e") == ["/e"])
                let container = try await zk.create("/c", mode: .container)
                #expect(container.path == "/c")
                #expect(try await zk.getAllChildrenNumber("/") == 4)
                #expect(Set(try await zk.getChildren("/")).isSuperset(of: ["e", "c"]))
                let withStat = try await zk.getChildrenWithStat("/")
                #expect(withStat.names.count == 4)
                #expect(withStat.stat.numChildren == 4)
            }
        }
    }

    @Test func `a time to live is sent where the mode has one`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                do throws(ClientError) {
                    let node = try await zk.create(
                        "/ttl", mode: .persistentWithTTL, ttl: .seconds(3600))
                    #expect(node.path == "/ttl")
                } catch {
                    // Servers have it switched off unless told otherwise.
                    #expect(error.refusal == .unimplemented)
                }
                let without = await failure { () throws(ClientError) in
                    try await zk.create("/x", mode: .persistentWithTTL)
                }
                #expect(without?.code == .invalidArgument)
                let needless = await failure { () throws(ClientError) in
                    try await zk.create("/x", ttl: .seconds(1))
                }
                #expect(needless?.code == .invalidArgument)
            }
        }
    }

    @Test func `paths that no server takes are refused here`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                for path: Path in ["", "a", "/a/", "/a//b", "/a/../b", "/a\u{0}"] {
                    let error = await failure { () throws(ClientError) in
                        try await zk.getData(path)
                    }
                    #expect(error?.code == .invalidArgument, "\(path)")
                }
                try await zk.create("/a")
                let number = try await zk.create("/a/", mode: .persistentSequential)
                #expect(number.path == "/a/0000000000")
            }
        }
    }

    @Test func `access is as the ACL says`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let own = [ACL.digest(.all, user: "bob", password: "secret")]
                try await zk.create("/mine", acl: own)
                let refused = await failure { () throws(ClientError) in
                    try await zk.getData("/mine")
                }
                #expect(refused?.refusal == .noAuth)
                try await zk.addAuth(scheme: "digest", Array("bob:secret".utf8))
                #expect(try await zk.getData("/mine").data == [])
                #expect(try await zk.getACL("/mine").acl == own)
                #expect(try await zk.whoAmI().contains(Identity(scheme: "digest", id: "bob")))
                let stat = try await zk.setACL("/mine", ACL.openToAll, version: 0)
                #expect(stat.aversion == 1)
                #expect(try await zk.getACL("/mine").acl == ACL.openToAll)
            }
        }
    }

    @Test func `a credential the server refuses ends the session`() async throws {
        try await withTestServer { server in
            let zk = try ZooKeeper(server.connectString)
            try await withThrowingTaskGroup(of: ClientError?.self) { group in
                group.addTask { await failure { () throws(ClientError) in try await zk.run() } }
                let refused = await failure { () throws(ClientError) in
                    try await zk.addAuth(scheme: "nobody-has-this", [])
                }
                #expect(refused?.refusal == .authFailed)
                let ending = try await group.next() ?? nil
                #expect(ending?.code == .authenticationFailed)
                #expect(zk.state == .authenticationFailed)
            }
        }
    }

    @Test func `the configuration is read whatever the chroot`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let config = try await zk.getConfig()
                #expect(config.stat.numChildren == 0)
                let refused = await failure { () throws(ClientError) in
                    try await zk.reconfig(joining: [], leaving: ["9"])
                }
                #expect([.reconfigDisabled, .unimplemented].contains(refused?.refusal))
                try await zk.sync()
            }
        }
    }

    @Test func `a chroot stands before every path and is never seen`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                #expect(zk.chroot == server.root)
                let made = try await zk.create("/a")
                #expect(made.path == "/a")
                let watched = try await zk.getChildrenAndWatch("/")
                #expect(watched.value.names == ["a"])
                try await zk.create("/b")
                #expect(try await next(of: watched.watch)?.path == "/")
                try await ZooKeeper.withSession(server.servers) { outside in
                    let stat = try await outside.exists(server.root / "b")
                    #expect(stat != nil)
                }
            }
        }
    }

    @Test func `a request that is too long is refused before it breaks the connection`()
        async throws
    {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                let error = await failure { () throws(ClientError) in
                    try await zk.create("/big", [UInt8](repeating: 7, count: 1 << 20))
                }
                #expect(error?.code == .invalidArgument)
                let large = [UInt8](repeating: 7, count: 1_000_000)
                try await zk.create("/large", large)
                #expect(try await zk.getData("/large").data == large)
            }
        }
    }
}

@Suite(.serialized)
struct MultiTests {
    @Test func `a multi is done as a whole and its results are typed`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                var multi = Multi()
                let parent = multi.create("/p")
                let child = multi.create("/p/c-", mode: .persistentSequential)
                let container = multi.create("/box", mode: .container)
                let stat = multi.setData("/p", [1, 2], version: 0)
                multi.check("/p", version: 1)
                multi.create("/gone")
                multi.delete("/gone")
                let results = try await zk.multi(multi)
                #expect(results[parent].path == "/p")
                #expect(results[child].path == "/p/c-0000000000")
                #expect(results[container].path == "/box")
                #expect(results[stat].version == 1)
                #expect(results[stat].mzxid == results.zxid)
                #expect(try await zk.exists("/gone") == nil)
                #expect(try await zk.multi(Multi()).zxid <= zk.lastZxid)
            }
        }
    }

    @Test func `a refused multi says which operation, and does nothing`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                var multi = Multi()
                multi.create("/a")
                multi.check("/", version: 77)
                multi.create("/b")
                let error = await failure { () throws(ClientError) in
                    try await zk.multi(multi)
                }
                #expect(error?.refusal == .badVersion)
                #expect(error?.failedOperation == 1)
                #expect(error?.outcome == .notDone)
                let stat = try await zk.exists("/a")
                #expect(stat == nil)
            }
        }
    }

    @Test func `the reads of a multiRead each have their own result`() async throws {
        try await withTestServer { server in
            try await ZooKeeper.withSession(server.connectString) { zk in
                try await zk.create("/a", [5])
                try await zk.create("/a/b")
                var reads = MultiRead()
                let data = reads.getData("/a")
                let missing = reads.getData("/none")
                let children = reads.getChildren("/a")
                let results = try await zk.multiRead(reads)
                #expect(try results[data].get().data == [5])
                #expect(results[missing].failureReason == .noNode)
                #expect(try results[children].get() == ["b"])
            }
        }
    }
}

extension Result where Failure == ClientError {
    fileprivate var failureReason: ZooKeeperError? {
        if case .failure(let error) = self { error.refusal } else { nil }
    }
}
