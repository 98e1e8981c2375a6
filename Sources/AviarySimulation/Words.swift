import AviaryWire
import Zab

extension LearnerMessage {
    var words: String {
        switch self {
        case .request(let request):
            "request \(request.type) of \(request.session) cxid \(request.cxid)"
        default: "\(self)"
        }
    }
}

extension LeaderMessage {
    var words: String {
        switch self {
        case .proposal(let zxid, _): "proposal \(zxid)"
        case .inform(let zxid, _): "inform \(zxid)"
        case .newLeader(let zxid, _): "newLeader \(zxid)"
        default: "\(self)"
        }
    }
}
