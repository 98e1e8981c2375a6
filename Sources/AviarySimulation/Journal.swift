import NIOCore

/// What happened: a number that differs if anything did, and the last of it in words.
struct Journal {
    private(set) var trace: UInt64 = 14_695_981_039_346_656_037
    /// How many lines are kept; 0 keeps none, which is faster.
    let limit: Int
    /// Gets each line at once.
    let sink: ((String) -> Void)?
    private var kept: [String] = []
    private var next = 0

    init(limit: Int, sink: ((String) -> Void)?) {
        self.limit = limit
        self.sink = sink
    }

    /// In order.
    var lines: [String] { Array(kept[next...] + kept[..<next]) }

    mutating func mix(_ number: Int64) {
        trace = (trace ^ UInt64(bitPattern: number)) &* 1_099_511_628_211
        trace ^= trace >> 29
    }

    mutating func mix(_ bytes: ByteBuffer) {
        var hash = trace
        for byte in bytes.readableBytesView { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        trace = hash
    }

    mutating func note(_ time: Int64, _ line: @autoclosure () -> String) {
        guard limit > 0 || sink != nil else { return }
        let text = "\(Self.milliseconds(time)) \(line())"
        sink?(text)
        if limit == 0 { return }
        if kept.count < limit {
            kept.append(text)
        } else {
            kept[next] = text
            next = (next + 1) % limit
        }
    }

    static func milliseconds(_ time: Int64) -> String {
        let fraction = String(time % 1000)
        return "\(time / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
