/// The keys that ask for what Aviary does not have and must not seem to have.
enum RefusedKeys {
    /// Whether the key is one of them. What `reason` has nothing against asks for what Aviary does
    /// anyway.
    static func contains(_ key: String) -> Bool {
        needingTLS.contains(key) || needingSASL.contains(key) || others.contains(key)
    }

    /// Why this value of a key cannot be, reading on from it; nil: it can.
    static func reason(_ key: String, _ value: String) -> String? {
        if needingTLS.contains(key) && value.lowercased() != "false" {
            return "asks for TLS, which Aviary does not have yet; take the line out, and keep "
                + "the port on a network that is trusted"
        }
        if needingSASL.contains(key) && value.lowercased() != "false" {
            return "asks members to authenticate to each other, which Aviary does not have yet; "
                + "take the line out, and keep the quorum and election ports on a network that "
                + "is trusted"
        }
        if key == "oraclePath" {
            return "lets a minority decide when a file says so, which Aviary does not do; take "
                + "the line out, and run three members or more"
        }
        if key == "electionAlg" && value != "3" {
            return "is an election that is no more; take the line out, or write electionAlg=3"
        }
        return nil
    }

    private static let needingTLS: Set<String> = [
        "secureClientPort", "sslQuorum", "portUnification", "client.portUnification",
    ]
    private static let needingSASL: Set<String> = [
        "quorum.auth.enableSasl", "quorum.auth.learnerRequireSasl",
        "quorum.auth.serverRequireSasl",
    ]
    private static let others: Set<String> = ["oraclePath", "electionAlg"]
}
