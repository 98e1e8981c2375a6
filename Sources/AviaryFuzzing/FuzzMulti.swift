import AviaryWire

/// The body of a multi or multiRead. An input is: the server's settings; how it is asked; the body.
func fuzzMulti(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let server = FuzzServer(profile: input.byte() & ~16)
    let innocent = server.establish(isAuthenticating: true)
    let client = server.establish(isAuthenticating: true)
    let manner = input.byte()
    let type = manner & 1 == 0 ? OpCode.multi : OpCode.multiRead
    let body = input.all()
    client.request(type.rawValue, xid: 1, body)
    if manner & 2 != 0 { server.persist() }
    if manner & 4 != 0 { server.settle() }
    // Once more: what the first has changed may or may not be applied by now.
    if manner & 8 != 0 { client.request(type.rawValue, xid: 2, body) }
    if manner & 16 != 0 { client.request(OpCode.closeSession.rawValue, xid: 3) }
    innocent.checkPing()
    server.finish()
    checkAnswer(client, to: body)
}

/// The last answer has a result for each operation, of the operation's kind.
private func checkAnswer(_ client: FuzzClient, to body: [UInt8]) {
    var reader = JuteReader(body.raw)
    guard let (header, answer) = client.lastAnswer, header.xid == 1 || header.xid == 2,
        header.error == 0, let operations = try? MultiRequest(from: &reader).operations
    else { return }
    do throws(WireError) {
        try checkResults(answer, of: operations)
    } catch {
        fatalError("the results of a multi can be read: \(error)")
    }
}

private func checkResults(
    _ answer: [UInt8], of operations: [MultiRequest.Operation]
) throws(WireError) {
    var reader = JuteReader(answer.raw)
    var failures = 0
    for operation in operations {
        failures += try readResult(of: operation, from: &reader) ? 0 : 1
    }
    let end = try MultiHeader(from: &reader)
    must(end == .end, "a multi's results end after the last")
    must(reader.remaining == 0, "a multi's results end after the last")
    let isWrite = operations.first.map { !$0.isRead } ?? false
    must(!isWrite || failures == 0 || failures == operations.count, "all or nothing")
}

/// - Returns: false for an error.
private func readResult(
    of operation: MultiRequest.Operation, from reader: inout JuteReader
) throws(WireError) -> Bool {
    let header = try MultiHeader(from: &reader)
    must(!header.done, "there is a result for each operation")
    if header.type == -1 {
        let code = try reader.readInt()
        must(code == header.error, "an error is there twice")
        return false
    }
    must(header.error == 0, "what is no error has none")
    var expected = operation.opCode
    switch operation {
    case .create(let code, _):
        expected = code == .create ? .create : .create2
        let path = try reader.readPath()
        must(path.isValid, "what was created has a path")
        if code != .create { _ = try Stat(from: &reader) }
    case .setData: _ = try Stat(from: &reader)
    case .delete, .check: break
    case .getData:
        _ = try reader.readBuffer()
        _ = try Stat(from: &reader)
    case .getChildren:
        let count = try reader.readCount(elementSize: 4) ?? 0
        for _ in 0..<count { _ = try reader.readString() }
    }
    must(header.type == expected.rawValue, "a result is of its operation's kind")
    return true
}
