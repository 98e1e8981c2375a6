import NIOCore

/// What the links have to tell, in the order in which it happened.
final class LinkEvents {
    private let loop: any EventLoop
    private let receive: ([PeerLinks.Event]) -> Void
    private var waiting: [PeerLinks.Event] = []
    private var isStopped = false

    init(loop: any EventLoop, receive: @escaping ([PeerLinks.Event]) -> Void) {
        self.loop = loop
        self.receive = receive
    }

    /// Tells it soon, never before the caller returns: who gives orders is not told within them what
    /// came of them.
    func report(_ event: PeerLinks.Event) {
        waiting.append(event)
        guard waiting.count == 1 else { return }
        loop.assumeIsolated().execute { self.deliver([]) }
    }

    /// Tells it now, after what was reported before.
    func deliver(_ batch: [PeerLinks.Event]) {
        if isStopped { return }
        guard !waiting.isEmpty else {
            if !batch.isEmpty { receive(batch) }
            return
        }
        var events: [PeerLinks.Event] = []
        swap(&events, &waiting)
        events.append(contentsOf: batch)
        receive(events)
    }

    /// Keeps to itself what is of no interest any more.
    func withdraw(_ isPointless: (PeerLinks.Event) -> Bool) {
        waiting.removeAll(where: isPointless)
    }

    func stop() {
        isStopped = true
        waiting = []
    }
}
