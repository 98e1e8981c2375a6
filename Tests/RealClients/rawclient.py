"""A small ZooKeeper client on a plain socket.

It gives tests what client libraries hide: pipelining, the exact zxid of every reply, sessions that
are abandoned without a close, and reattaching by session id and password.
"""
import select
import socket
import struct
import time

CREATE, DELETE, GET_DATA, SET_DATA, CHECK, MULTI, GET_CHILDREN2 = 1, 2, 4, 5, 13, 14, 12
AUTH, CLOSE_SESSION, PING = 100, -11, 11
PING_XID = -2
OK, NO_NODE, BAD_VERSION, NODE_EXISTS = 0, -101, -103, -110
EPHEMERAL, SEQUENCE = 1, 2
ANYONE = [(31, 'world', 'anyone')]


class Refused(Exception):
    """The server did not accept the session."""


def buffer(value):
    return struct.pack('>i', -1) if value is None else struct.pack('>i', len(value)) + value


def text(value):
    return buffer(value.encode())


def acl_list(acl):
    entries = b''.join(struct.pack('>i', perms) + text(scheme) + text(who) for perms, scheme, who in acl)
    return struct.pack('>i', len(acl)) + entries


def create_record(path, data, flags=0, acl=ANYONE):
    return text(path) + buffer(data) + acl_list(acl) + struct.pack('>i', flags)


def set_record(path, data, version=-1):
    return text(path) + buffer(data) + struct.pack('>i', version)


def version_record(path, version=-1):
    """The record of delete and of check."""
    return text(path) + struct.pack('>i', version)


def watch_record(path, watch=False):
    """The record of getData, exists and getChildren."""
    return text(path) + (b'\1' if watch else b'\0')


def multi_record(operations):
    """`operations` is a list of (operation code, record)."""
    parts = [struct.pack('>ibi', code, 0, -1) + record for code, record in operations]
    return b''.join(parts) + struct.pack('>ibi', -1, 1, -1)


class Reader:
    """Takes fields off the front of a record."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def unpack(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values if len(values) > 1 else values[0]

    def buffer(self):
        size = self.unpack('>i')
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at]

    def text(self):
        return self.buffer().decode()

    def stat(self):
        names = ('czxid', 'mzxid', 'ctime', 'mtime', 'version', 'cversion', 'aversion',
                 'ephemeralOwner', 'dataLength', 'numChildren', 'pzxid')
        return dict(zip(names, self.unpack('>qqqqiiiqiiq')))

    def multi_errors(self):
        """The error of each part of a multi whose results have no body: a failed one."""
        errors = []
        while True:
            kind, done, _ = self.unpack('>ibi')
            if done:
                return errors
            errors.append(self.unpack('>i') if kind == -1 else OK)
            if kind != -1:
                return [OK]


class Reply:
    def __init__(self, frame):
        self.xid, self.zxid, self.error = struct.unpack_from('>iqi', frame)
        self.body = Reader(frame[16:])


class RawClient:
    """One connection and its session. Requests may be pipelined: `send` several, then `receive`."""

    def __init__(self, address, timeout_milliseconds=10000, session=None, last_zxid=0, limit=10.0,
                 read_only=b'\0', early=b'', ping_seconds=None):
        """`session` is an (id, password) pair to reattach to. `read_only` is empty in the handshake
        of clients before 3.4; `early` is sent with it, before the session is there. `ping_seconds`:
        how long it waits for a frame before it pings, and again; never if there is none."""
        self.socket = socket.create_connection(address, limit)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b''
        self.xid = 0
        self.ping_seconds = None
        try:
            self._handshake(timeout_milliseconds, session, last_zxid, read_only, early)
        except Exception:
            self.socket.close()
            raise
        self.ping_seconds = ping_seconds

    def _handshake(self, timeout_milliseconds, session, last_zxid, read_only, early):
        identity, password = session or (0, bytes(16))
        request = struct.pack('>iqiq', 0, last_zxid, timeout_milliseconds, identity)
        record = request + buffer(password) + read_only
        self.socket.sendall(struct.pack('>i', len(record)) + record + early)
        answer = Reader(self.frame())
        _, self.timeout_milliseconds, identity = answer.unpack('>iiq')
        self.session = (identity, answer.buffer())
        if self.timeout_milliseconds <= 0:
            raise Refused('the server does not know the session')

    def frame(self):
        """The next frame without its length; answers to pings are left out."""
        while True:
            if len(self.received) >= 4:
                size = struct.unpack_from('>i', self.received)[0]
                if len(self.received) >= size + 4:
                    frame = self.received[4:size + 4]
                    self.received = self.received[size + 4:]
                    if self.ping_seconds and struct.unpack_from('>i', frame)[0] == PING_XID:
                        continue
                    return frame
            if self.ping_seconds:
                self._ping_until_readable()
            more = self.socket.recv(1 << 18)
            if not more:
                raise ConnectionError('the server closed the connection')
            self.received += more

    def _ping_until_readable(self):
        end = time.monotonic() + (self.socket.gettimeout() or float('inf'))
        while time.monotonic() < end:
            if select.select([self.socket], [], [], self.ping_seconds)[0]:
                return
            self.socket.sendall(struct.pack('>iii', 8, PING_XID, PING))

    def encode(self, code, record=b''):
        """A whole request with its length, counted as sent."""
        self.xid += 1
        return struct.pack('>iii', len(record) + 8, self.xid, code) + record

    def send(self, code, record=b''):
        self.socket.sendall(self.encode(code, record))

    def receive(self):
        """The next reply; notifications are left out."""
        while True:
            reply = Reply(self.frame())
            if reply.xid != -1:
                return reply

    def notification(self):
        """The type and the path of the next frame, which must be a notification."""
        reply = Reply(self.frame())
        if reply.xid != -1:
            raise AssertionError(f'a reply to request {reply.xid} came, and no notification')
        event, _, path = reply.body.unpack('>i'), reply.body.unpack('>i'), reply.body.text()
        return event, path

    def call(self, code, record=b''):
        self.send(code, record)
        return self.receive()

    def create(self, path, data=b'', flags=0, acl=ANYONE):
        return self.call(CREATE, create_record(path, data, flags, acl))

    def authenticate(self, scheme, credential):
        return self.call(AUTH, struct.pack('>i', 0) + text(scheme) + buffer(credential.encode()))

    def close_session(self):
        self.call(CLOSE_SESSION)
        self.socket.close()

    def abandon(self):
        """Closes the connection and leaves the session to the server."""
        self.socket.close()
