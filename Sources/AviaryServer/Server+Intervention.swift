import AviaryCore
package import AviaryWire
import Zab

/// What tests do to a server that runs, and how they see what came of it.
extension Server {
    /// Stops as a process that is killed does: connections are broken without a word, and what the
    /// log thread has not been shown is lost.
    package func kill() async {
        host.stop()
        await host.resetConnections()
        await stop()
    }

    /// Ends a session as if its time were up.
    ///
    /// - Returns: false if there is no such session, or it is not for this server to end it.
    package func expire(_ session: SessionID) -> Bool {
        host.enter { core, effects, now in core.expire(session, at: now, into: &effects) }
    }

    /// Closes the connection that a session has here; the session lives on.
    ///
    /// - Returns: whether there was one.
    package func cutOff(_ session: SessionID) -> Bool {
        host.enter { core, effects, _ in core.cutOff(session, into: &effects) }
    }

    /// These sessions cannot connect here, until others are barred.
    package func bar(_ sessions: Set<SessionID>) {
        host.enter { core, _, _ in core.barred = sessions }
    }

    /// Whether the server knows of the session. A learner knows those of its own clients.
    package func hasSession(_ session: SessionID) -> Bool {
        host.enter { core, _, _ in core.hasSession(session) }
    }

    /// Whether the server decides what is written; one that is alone does.
    package var isLeading: Bool { host.enter { core, _, _ in core.role == .leading } }

    /// Whether clients that write are served.
    package var isServing: Bool {
        host.enter { core, _, _ in core.servesClients && !core.isReadOnly }
    }

    package var lastZxid: Zxid { host.enter { core, _, _ in core.tree.lastProcessedZxid } }
}
