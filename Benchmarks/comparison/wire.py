"""One session of the ZooKeeper client protocol over blocking sockets."""
import socket
import struct

CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, SYNC, CLOSE = 1, 2, 3, 4, 5, 9, -11
NODE_EXISTS = -110


def frame(content):
    return struct.pack('>i', len(content)) + content


def text(string):
    encoded = string.encode()
    return struct.pack('>i', len(encoded)) + encoded


class Client:
    """Keeps its session when it moves from server to server."""

    def __init__(self, ports, timeout_ms=10000, patience=1.0):
        self.ports, self.at, self.sock, self.xid = ports, 0, None, 0
        self.sid, self.passwd, self.zxid = 0, b'\0' * 16, 0
        self.timeout, self.patience, self.expired = timeout_ms, patience, False

    def read(self):
        return self.exact(struct.unpack('>i', self.exact(4))[0])

    def exact(self, count):
        received = b''
        while len(received) < count:
            part = self.sock.recv(count - len(received))
            if not part:
                raise OSError('closed')
            received += part
        return received

    def connect(self):
        self.sock = socket.create_connection(('127.0.0.1', self.ports[self.at % len(self.ports)]), 0.5)
        self.sock.settimeout(self.patience)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = struct.pack('>iqiq', 0, self.zxid, self.timeout, self.sid)
        self.sock.sendall(frame(request + struct.pack('>i', 16) + self.passwd + b'\0'))
        reply = self.read()
        _, timeout, sid = struct.unpack('>iiq', reply[:16])
        if timeout <= 0:
            self.expired, self.sid, self.passwd = True, 0, b'\0' * 16
            raise OSError('session expired')
        self.sid, self.passwd = sid, reply[20:36]

    def call(self, op, body=b''):
        self.xid += 1
        self.sock.sendall(frame(struct.pack('>ii', self.xid, op) + body))
        while True:
            reply = self.read()
            xid, zxid, err = struct.unpack('>iqi', reply[:16])
            if xid == self.xid:
                if zxid > 0:
                    self.zxid = zxid
                return err, reply[16:]

    def create(self, path, data=b'x'):
        acl = struct.pack('>ii', 1, 31) + text('world') + text('anyone')
        return self.call(CREATE, text(path) + frame(data) + acl + struct.pack('>i', 0))[0]

    def set_data(self, path, data):
        return self.call(SET_DATA, text(path) + frame(data) + struct.pack('>i', -1))[0]

    def exists(self, path):
        return self.call(EXISTS, text(path) + b'\0')[0]

    def get_data(self, path):
        return self.call(GET_DATA, text(path) + b'\0')[0]

    def sync(self):
        return self.call(SYNC, text('/'))[0]

    def close_session(self):
        self.call(CLOSE)
        self.sock.close()

    def drop(self):
        """Ends the connection, not the session; the next connect goes to the next server."""
        if self.sock:
            self.sock.close()
        self.sock = None
        self.at += 1


def ask(port, word):
    """The answer to a four-letter word, or nothing."""
    try:
        with socket.create_connection(('127.0.0.1', port), 1) as sock:
            sock.settimeout(1)
            sock.sendall(word)
            answer = b''
            while part := sock.recv(65536):
                answer += part
            return answer.decode(errors='replace')
    except OSError:
        return ''
