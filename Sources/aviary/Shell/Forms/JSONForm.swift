import AviaryClient
import AviaryServer

extension JSONWriter {
    mutating func add(_ stat: Stat) {
        add("czxid", stat.czxid)
        add("mzxid", stat.mzxid)
        add("pzxid", stat.pzxid)
        add("ctime", stat.ctime)
        add("mtime", stat.mtime)
        add("version", stat.version)
        add("cversion", stat.cversion)
        add("aversion", stat.aversion)
        add("ephemeralOwner", SessionID(stat.ephemeralOwner))
        add("dataLength", stat.dataLength)
        add("numChildren", stat.numChildren)
    }

    mutating func add(stat: Stat) {
        beginObject("stat")
        add(stat)
        endObject()
    }

    /// As a string if the bytes are text, and always in base64.
    mutating func add(data: NodeData) {
        if data.isNull {
            addNull("data")
            addNull("base64")
            return
        }
        if let text = String(validating: data.data, as: UTF8.self) {
            add("data", text)
        } else {
            addNull("data")
        }
        add("base64", Base64.encode(data.data).description)
    }
}

extension Shell {
    func printJSON(_ answer: Answer) {
        console.json { json in
            json.beginObject()
            Self.write(answer, to: &json)
            json.endObject()
        }
    }

    private static func write(_ answer: Answer, to json: inout JSONWriter) {
        switch answer {
        case .done: json.add("done", true)
        case .created(let path): json.add("created", path)
        case .data(let path, let data, _, _):
            json.add("path", path)
            json.add(data: data)
            json.add(stat: data.stat)
        case .children(let path, let children, _):
            json.add("path", path)
            json.add("children", children.names.sorted(by: isOrdered))
            json.add(stat: children.stat)
        case .listing(let path, let children):
            json.add("path", path)
            json.add("children", children.map(\.name).sorted(by: isOrdered))
        case .stat(let path, let stat):
            json.add("path", path)
            json.add(stat: stat)
        case .acl(let path, let acl, _):
            json.add("path", path)
            json.add("acl", acl.acl)
            json.add(stat: acl.stat)
        case .number(let path, let name, let number):
            json.add("path", path)
            json.add(name, number)
        case .paths(let name, let paths):
            json.add(name, paths.map(\.description))
        case .identities(let identities):
            json.beginArray("identities")
            for identity in identities {
                json.beginObject()
                json.add("scheme", identity.scheme.description)
                json.add("id", identity.id.description)
                json.endObject()
            }
            json.endArray()
        case .text(let text, let name): json.add(name, text)
        }
    }
}
