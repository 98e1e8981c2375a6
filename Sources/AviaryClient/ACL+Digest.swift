public import AviaryWire
import Crypto

extension ACL {
    /// An entry for whoever authenticates with the `digest` scheme as this user with this password.
    public static func digest(
        _ permissions: Permissions, user: String, password: String
    ) -> ACL {
        let hash = Base64.encode(Array(Insecure.SHA1.hash(data: Array("\(user):\(password)".utf8))))
        return ACL(permissions, "digest", ByteString("\(user):\(hash)"))
    }
}
