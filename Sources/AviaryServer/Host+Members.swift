import AviaryCore
import AviaryWire
import Logging
import NIOCore
import Synchronization
import Zab

/// What only a member of an ensemble does: its disk tells what it has done, and its links are on
/// loop 0.
extension Host {
    /// The disk has done what the quorum peer ordered; told in the order of the orders.
    func done(_ event: QuorumPeer.Event) {
        loops[0].execute {
            self.enter { core, effects, now in core.step(.quorum(event), at: now, into: &effects) }
        }
    }

    func snapshotInstalled() {
        loops[0].execute {
            self.enter { core, effects, now in core.snapshotInstalled(at: now, into: &effects) }
        }
    }

    func truncated(to tree: TreeBox, after zxid: Zxid) {
        loops[0].execute {
            self.enter { core, effects, now in
                guard let tree = tree.take() else { return }
                core.truncated(to: tree, after: zxid, at: now, into: &effects)
            }
        }
    }

    // MARK: Other servers

    /// On loop 0, before the first event.
    func use(_ links: PeerLinks) { self.links.value = links }

    /// What the links have brought, all in one hold of the lock.
    func receive(_ events: [PeerLinks.Event]) {
        enter { core, effects, now in
            for event in events {
                switch event {
                case .quorum(let event): core.step(.quorum(event), at: now, into: &effects)
                case .tree(let box, let zxid, let link):
                    guard let tree = box.take() else { continue }
                    core.receive(tree: tree, of: zxid, over: link, at: now, into: &effects)
                }
            }
        }
    }

    func carryOutPeerOrders() {
        var orders: [StepEffects.Peer] = []
        state.withLock { swap(&orders, &$0.peers) }
        links.value?.carryOut(orders)
    }

    func tell(_ role: QuorumPeer.Role) {
        switch role {
        case .looking: logger.notice("serves nobody and looks for a leader")
        case .leading: logger.notice("leads")
        case .following(let leader): logger.notice("follows server \(leader)")
        case .observing(let leader): logger.notice("observes server \(leader)")
        }
    }
}
