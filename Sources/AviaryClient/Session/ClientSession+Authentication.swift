import AviaryWire
import DequeModule
import NIOCore

extension ClientSession {
    /// These replies overtake others; among themselves they are in order.
    mutating func receiveCredentialReply(_ header: ReplyHeader) throws(WireError) {
        guard let request = sentCredentials.popFirst() else { throw .unknownType(header.xid) }
        let isNew = !credentials.contains(request.packet)
        if header.error == 0, isNew { credentials.append(request.packet) }
        if let ticket = request.ticket {
            effects.append(.reply(ticket, header, body: 0..<0))
        }
        // The server closes the connection, and would do so each time.
        if header.error != 0 { end(.authenticationFailed) }
    }

    mutating func beginSASL(at now: NIODeadline) {
        guard let credential = settings.sasl else { return }
        let nonce = (random.next(), random.next())
        sasl = DigestMD5Client(
            user: credential.user, password: credential.password,
            clientNonce: String(nonce.0, radix: 36) + String(nonce.1, radix: 36))
        send(.sasl([]), purpose: .sasl, at: now)
    }

    mutating func receiveSASL(
        _ header: ReplyHeader, _ reader: inout JuteReader, at now: NIODeadline
    ) throws(WireError) {
        guard header.error == 0, let token = try reader.readBuffer(),
            let step = sasl?.step(token)
        else {
            end(.authenticationFailed)
            return
        }
        switch step {
        case .answer(let answer): send(.sasl(answer), purpose: .sasl, at: now)
        case .done:
            sasl = nil
            becomeConnected(sameSession: wasSameSession, at: now)
        case .refused: end(.authenticationFailed)
        }
    }
}
