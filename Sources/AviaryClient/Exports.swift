// The values that the client speaks of: Path, Stat, ACL, CreateMode, Zxid and the like.
@_exported public import AviaryWire
