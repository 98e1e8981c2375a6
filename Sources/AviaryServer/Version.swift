/// What this build calls itself, and what it stands in for.
package enum AviaryVersion {
    /// Aviary's own version.
    package static let number = "0.1.0"
    /// The ZooKeeper release whose protocol, files and answers Aviary follows.
    package static let compatible = "3.9.5"
}

extension AviaryVersion {
    /// As the four letter words give it: monitoring looks for `X.Y.Z-` at the beginning.
    static let zooKeeperText = "\(compatible)-aviary-\(number), built on 2026-11-21 00:00 UTC"
}
