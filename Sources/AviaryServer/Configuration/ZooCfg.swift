/// Reads the text of a `zoo.cfg`.
///
/// Later entries replace earlier ones. What ZooKeeper takes from the Java command line only
/// (`jute.maxbuffer`) may stand in the file too. Source: QuorumPeerConfig.parseProperties,
/// ZooKeeper 3.9.5.
///
/// Deviation: ZooKeeper falls back to the default where a system property is not a number, and
/// keeps quiet about keys it does not know; here the first is refused, the second warned about.
package enum ZooCfg {
    package typealias ReadFile = (String) throws(TextFileError) -> String

    /// Reads no file itself.
    ///
    /// - Parameters:
    ///   - file: what messages call the text.
    ///   - readFile: gives the text of a file that this one leads to: that of `dynamicConfigFile`,
    ///     and `myid` of a member.
    package static func parse(
        _ text: String, file: String, readFile: ReadFile
    ) throws(ConfigurationError) -> (ServerConfiguration, warnings: [ConfigurationWarning]) {
        let entries = try Self.entries(of: text, file: file)
        var reading = ZooCfgReading(file: file)
        try reading.take(entries)
        try reading.finish(readFile: readFile)
        return (reading.configuration, reading.warnings)
    }

    /// The entries, with keys and values trimmed.
    static func entries(
        of text: String, file: String
    ) throws(ConfigurationError) -> [PropertiesText.Entry] {
        do throws(PropertiesText.SyntaxError) {
            return try PropertiesText.entries(of: text).map {
                PropertiesText.Entry(key: $0.key.trimmed, value: $0.value.trimmed, line: $0.line)
            }
        } catch {
            throw ConfigurationError(file: file, line: error.line, reason: error.reason)
        }
    }
}
