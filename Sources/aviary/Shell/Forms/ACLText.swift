import AviaryClient

/// ACLs as they are typed: `scheme:id:perms`, with commas between.
enum ACLText {
    private static let permissions: [(letter: Character, permission: Permissions)] = [
        ("c", .create), ("d", .delete), ("r", .read), ("w", .write), ("a", .admin),
    ]

    /// In zkCli.sh's order.
    static func letters(_ set: Permissions) -> String {
        String(permissions.filter { set.contains($0.permission) }.map(\.letter))
    }

    static func text(_ acl: [ACL]) -> String {
        acl.map { "\($0.identity.scheme):\($0.identity.id):\(letters($0.permissions))" }
            .joined(separator: ",")
    }

    /// What cannot be read is left out, and complained of, as zkCli.sh does.
    ///
    /// Source: org.apache.zookeeper.cli.AclParser.parse, 3.9.5.
    static func parse(_ text: String, complain: (String) -> Void) -> [ACL] {
        text.split(separator: ",").compactMap { item in
            guard let first = item.firstIndex(of: ":"), let last = item.lastIndex(of: ":"),
                first != last
            else {
                complain("\(item) does not have the form scheme:id:perm")
                return nil
            }
            var set: Permissions = []
            for letter in item[item.index(after: last)...] {
                if let known = permissions.first(where: { $0.letter == letter }) {
                    set.insert(known.permission)
                } else {
                    complain("Unknown perm type: \(letter)")
                }
            }
            return ACL(
                set, ByteString(item[..<first]), ByteString(item[item.index(after: first)..<last]))
        }
    }
}
