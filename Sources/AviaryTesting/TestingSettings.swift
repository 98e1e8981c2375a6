import AviaryServer

/// Makes the configuration of a testing server, from the text of a `zoo.cfg`.
enum TestingSettings {
    /// What suits tests: short ticks, so that sessions may be short too, small files, and no limit
    /// that a test would run into without looking for it.
    private static let defaults = [
        "tickTime": "100", "minSessionTimeout": "200", "maxSessionTimeout": "600000",
        "initLimit": "100", "syncLimit": "50", "maxClientCnxns": "0", "preAllocSize": "64",
        "extendedTypesEnabled": "true", "4lw.commands.whitelist": "*",
        "znode.container.checkIntervalMs": "500",
    ]

    /// - Parameters:
    ///   - settings: of the test; they replace the defaults.
    ///   - members: lines of `server.N`; none: the server is standalone.
    static func configuration(
        directory: String, port: Int, number: Int, members: [String],
        _ settings: [String: String]
    ) throws(TestingError) -> ServerConfiguration {
        var all = defaults.merging(settings) { _, given in given }
        // An ensemble of one is an ensemble.
        if !members.isEmpty { all["standaloneEnabled"] = "false" }
        all["dataDir"] = directory
        all["clientPort"] = "\(port)"
        all["clientPortAddress"] = "127.0.0.1"
        let lines = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } + members
        do throws(ConfigurationError) {
            let text = lines.joined(separator: "\n") + "\n"
            return try ZooCfg.parse(text, file: "settings", readFile: { _ in "\(number)" })
                .0
        } catch {
            throw TestingError("the settings cannot be used: \(error.description)")
        }
    }
}
