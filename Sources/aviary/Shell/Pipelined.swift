import AviaryClient

/// Asks the same of many things, some at a time, and gives the answers in order.
@ShellActor
struct Pipelined<Item: Sendable, Reply: Sendable> {
    /// Enough for the network, and no burden for the server.
    private static var window: Int { 256 }

    private let submit: (Item) -> Pending<Reply>
    private var items: ArraySlice<Item>
    private var pending: ArraySlice<(Item, Pending<Reply>)> = []

    init(_ items: [Item], submit: @escaping (Item) -> Pending<Reply>) {
        self.items = items[...]
        self.submit = submit
    }

    /// The next one's answer; nil after the last. What is gone by now (`noNode`) is skipped.
    mutating func next() async throws(ShellError) -> (Item, Reply)? {
        while true {
            while pending.count < Self.window, let item = items.popFirst() {
                pending.append((item, submit(item)))
            }
            guard let (item, answer) = pending.popFirst() else { return nil }
            do throws(ClientError) {
                return (item, try await answer.value)
            } catch {
                if error.refusal != .noNode { throw ShellError(error) }
            }
        }
    }
}
