"""Clients that read and write without pause, move their sessions between members, and write down all
they asked and saw."""
import random
import struct
import threading
import time

import rawclient
from rawclient import (CHECK, CLOSE_SESSION, CREATE, DELETE, EPHEMERAL, GET_CHILDREN2, GET_DATA, MULTI, NO_NODE,
                       SEQUENCE, SET_DATA)
from torture_history import FAILED, OK, Event, Operation, Violation

SYNC, PING, SET_WATCHES = 9, 11, 101
NOTIFIED, WATCHES_SET = -1, -8
SESSION_EXPIRED, SESSION_MOVED = -112, -118
ROOT = '/torture'
REGISTERS = [f'{ROOT}/r{n}' for n in range(6)]
# These come and go.
FLEETING = [f'{ROOT}/d{n}' for n in range(4)]
PARENTS = [f'{ROOT}/s{n}' for n in range(2)]
EPHEMERALS = f'{ROOT}/e'
SESSION_TIMEOUTS = (3000, 8000, 30000)
REPLY_SECONDS = 3.0
MOST_CHILDREN = 12
# The chance of each kind of request.
KINDS = {'set': 18, 'cas': 10, 'read': 22, 'synced': 14, 'watch': 12, 'create': 7, 'delete': 5, 'multi': 6,
         'sequence': 7, 'unsequence': 5, 'ephemeral': 5, 'look': 8}


class Shared:
    """What clients know of each other, and what the run tells them."""

    def __init__(self, members, history, began, rate):
        """`rate` is the requests that each client may ask in a second."""
        self.members = members
        self.rate = rate
        self.history = history
        self.began = began
        self.ephemerals = []
        self.quiet = threading.Event()
        self.ending = threading.Event()

    def now(self):
        return time.monotonic() - self.began


class Client(threading.Thread):
    """One session at a time, on one member at a time."""

    def __init__(self, shared, number, seed):
        super().__init__(daemon=True)
        self.shared = shared
        self.number = number
        self.random = random.Random(f'{seed} client {number}')
        self.raw = self.member = self.session = self.move_at = None
        self.count = 0
        self.rests = threading.Event()
        self.reconnects = self.expired = 0
        self.begin_session()

    def begin_session(self):
        self.session = None
        self.last_zxid = self.asked = self.arrived = 0
        self.known_versions, self.watched, self.children, self.ephemerals = {}, {}, [], []
        self.timeout = self.random.choice(SESSION_TIMEOUTS)

    # The loop

    def run(self):
        while not self.shared.ending.is_set():
            try:
                if not self.raw:
                    self.connect()
                elif self.shared.quiet.is_set():
                    self.rests.set()
                    self.call_ping()
                    time.sleep(0.2)
                else:
                    self.rests.clear()
                    self.one_turn()
            except (OSError, struct.error):
                self.drop()
                time.sleep(self.random.uniform(0.02, 0.2))
            except Exception as fault:
                self.complain(f'client {self.number}: {type(fault).__name__}: {fault}')
                self.drop()
                raise
        self.drop()

    def one_turn(self):
        if time.monotonic() > self.move_at:
            if self.random.random() < 0.15:
                return self.close_session()
            self.drop()
            if self.timeout == min(SESSION_TIMEOUTS) and self.random.random() < 0.1:
                # Away for so long that its session ends.
                self.shared.ending.wait(self.timeout / 1000 * 1.5)
            return None
        burst = self.random.choice((1, 1, 1, 2, 4, 8))
        began = time.monotonic()
        self.exchange([self.draw() for _ in range(burst)])
        pace = burst / self.shared.rate * self.random.uniform(0, 2)
        time.sleep(max(0.0, pace - (time.monotonic() - began)))

    def connect(self):
        """Goes on with the session at another member, or begins one."""
        others = [member for member in self.shared.members if member is not self.member]
        self.member = self.random.choice(others or self.shared.members)
        try:
            self.raw = rawclient.RawClient(self.member.address, self.timeout, self.session, self.last_zxid,
                                           limit=1.5)
        except rawclient.Refused:
            if self.session:
                self.session_expired()
            return
        self.reconnects += 1
        self.raw.socket.settimeout(REPLY_SECONDS)
        if self.session and self.raw.session[0] != self.session[0]:
            self.complain(f'session {self.session[0]:#x} was asked for, {self.raw.session[0]:#x} was given')
        self.session = self.raw.session
        self.move_at = time.monotonic() + self.random.uniform(0.5, 6)
        if self.watched:
            self.set_watches()

    def drop(self):
        """Leaves the connection, and the session to the server."""
        if self.raw:
            self.raw.abandon()
        self.raw = None

    def complain(self, text, *excerpt, checker='clients'):
        self.shared.history.complaints.append(Violation(checker, text, excerpt))

    # What it asks

    def operation(self, kind, writes=(), base=None):
        self.asked += 1
        return Operation(kind, self.number, self.session[0], self.member.identity, self.asked,
                         self.shared.now(), writes, base)

    def value(self):
        self.count += 1
        return f'c{self.number}-{self.count}'

    def draw(self):
        """An operation and the requests it takes, as a list of (code, record)."""
        kind = self.random.choices(list(KINDS), KINDS.values())[0]
        return getattr(self, f'draw_{kind}')()

    def draw_set(self):
        key, value = self.random.choice(REGISTERS), self.value()
        return self.operation('setData', [(key, value)]), [(SET_DATA, rawclient.set_record(key, value.encode()))]

    def draw_cas(self):
        known = [key for key in REGISTERS if key in self.known_versions]
        if not known:
            return self.draw_read()
        key, value = self.random.choice(known), self.value()
        version = self.known_versions[key]
        return (self.operation('setData', [(key, value)], version),
                [(SET_DATA, rawclient.set_record(key, value.encode(), version))])

    def read(self, key, watch=False, synced=False):
        one = self.operation('getData')
        one.reads = [(key, None, 0, 0)]
        one.watches = watch
        requests = [(SYNC, rawclient.text(key))] if synced else []
        return one, [*requests, (GET_DATA, rawclient.watch_record(key, watch))]

    def draw_read(self):
        return self.read(self.random.choice(REGISTERS + FLEETING))

    def draw_synced(self):
        return self.read(self.random.choice(REGISTERS + FLEETING), synced=True)

    def draw_watch(self):
        return self.read(self.random.choice(REGISTERS + FLEETING), watch=True,
                         synced=self.random.random() < 0.2)

    def draw_look(self):
        """At an ephemeral of any session."""
        recent = self.shared.ephemerals[-40:]
        if not recent:
            return self.draw_read()
        return self.read(self.random.choice(recent), watch=self.random.random() < 0.3,
                         synced=self.random.random() < 0.5)

    def draw_create(self):
        key, value = self.random.choice(FLEETING), self.value()
        return (self.operation('create', [(key, value)]),
                [(CREATE, rawclient.create_record(key, value.encode()))])

    def draw_delete(self):
        key = self.random.choice(FLEETING)
        return self.operation('delete', [(key, None)]), [(DELETE, rawclient.version_record(key))]

    def draw_multi(self):
        one, other = self.random.sample(REGISTERS, 2)
        writes = [(one, self.value()), (other, self.value())]
        parts = [(SET_DATA, rawclient.set_record(key, value.encode())) for key, value in writes]
        if self.random.random() < 0.3:
            # One that often fails, after the others.
            parts.append((CHECK, rawclient.version_record(one, self.known_versions.get(one, 0))))
        if self.random.random() < 0.3:
            key, value = self.random.choice(FLEETING), self.value()
            writes.append((key, value))
            parts.append((CREATE, rawclient.create_record(key, value.encode())))
        return self.operation('multi', writes), [(MULTI, rawclient.multi_record(parts))]

    def draw_sequence(self):
        parent, value = self.random.choice(PARENTS), self.value()
        one = self.operation('create', [(f'{parent}/?', value)])
        one.sequence = (parent, -1)
        return one, [(CREATE, rawclient.create_record(f'{parent}/n-', value.encode(), SEQUENCE))]

    def draw_unsequence(self):
        if len(self.children) < MOST_CHILDREN:
            return self.draw_sequence()
        key = self.children.pop(0)
        return self.operation('delete', [(key, None)]), [(DELETE, rawclient.version_record(key))]

    def draw_ephemeral(self):
        if len(self.ephemerals) >= MOST_CHILDREN:
            key = self.ephemerals[0]
            return self.operation('delete', [(key, None)]), [(DELETE, rawclient.version_record(key))]
        value = self.value()
        key = f'{EPHEMERALS}/{value}'
        self.ephemerals.append(key)
        self.shared.ephemerals.append(key)
        return (self.operation('create', [(key, value)]),
                [(CREATE, rawclient.create_record(key, value.encode(), EPHEMERAL))])

    # How it asks

    def exchange(self, drawn):
        """Sends all, and reads the answers of all; what stays without one is unknown."""
        self.shared.history.operations.extend(one for one, _ in drawn if one.writes)
        self.raw.socket.sendall(b''.join(
            self.raw.encode(code, record) for _, requests in drawn for code, record in requests))
        xid = self.raw.xid - sum(len(requests) for _, requests in drawn)
        for one, requests in drawn:
            for code, _ in requests:
                xid += 1
                reply = self.next_reply()
                if reply.xid != xid:
                    self.complain(f'client {self.number}: a reply to {reply.xid} came, not to {xid}',
                                  *(other for other, _ in drawn), checker='reply order')
                    raise ConnectionError('replies in disorder')
                self.take(one, code, reply)

    def next_reply(self):
        """Notifications that come before it are written down."""
        while True:
            reply = rawclient.Reply(self.raw.frame())
            if reply.xid == NOTIFIED:
                self.take_event(reply)
            elif reply.xid != WATCHES_SET:
                return reply

    def take_event(self, reply):
        kind, _ = reply.body.unpack('>ii')
        key = reply.body.text()
        self.arrived += 1
        self.watched.pop(key, None)
        self.shared.history.events.append(Event(self.number, self.session[0], self.member.identity,
                                                self.arrived, self.shared.now(), key, kind))

    def take(self, one, code, reply):
        if code == SYNC:
            one.synced = reply.error == 0
            return
        self.arrived += 1
        one.arrived = self.arrived
        one.returned = self.shared.now()
        one.zxid, one.error = reply.zxid, reply.error
        if reply.error in (SESSION_EXPIRED, SESSION_MOVED):
            one.outcome, one.zxid = FAILED, 0
            raise ConnectionError('the session is elsewhere')
        self.last_zxid = max(self.last_zxid, reply.zxid)
        if one.kind == 'getData':
            self.take_read(one, reply)
        else:
            if code == MULTI and not reply.error:
                # One that fails says so in its parts.
                one.error = next(filter(None, reply.body.multi_errors()), 0)
            one.outcome = FAILED if one.error else OK
            self.take_write(one, code, reply)

    def take_read(self, one, reply):
        if reply.error not in (0, NO_NODE):
            return self.complain(f'a read was answered with {reply.error}', one)
        one.outcome = OK
        key = one.reads[0][0]
        if not reply.error:
            value, stat = reply.body.buffer(), reply.body.stat()
            one.reads = [(key, value.decode(), stat['mzxid'], stat['version'])]
            self.known_versions[key] = stat['version']
            if one.watches:
                self.watched[key] = True
        self.shared.history.operations.append(one)

    def take_write(self, one, code, reply):
        key, value = one.writes[0]
        if code == DELETE and key in self.ephemerals:
            self.ephemerals.remove(key)
        if one.error:
            self.known_versions.pop(key, None)
        elif code == SET_DATA:
            stat = reply.body.stat()
            one.versions = [(key, stat['version'])]
            self.known_versions[key] = stat['version']
            if stat['mzxid'] != reply.zxid:
                self.complain(f'a write was answered at {reply.zxid:#x} with mzxid {stat["mzxid"]:#x}', one)
        elif code == CREATE and one.sequence:
            path = reply.body.text()
            one.sequence = (one.sequence[0], int(path[-10:]))
            one.writes = [(path, value)]
            self.children.append(path)

    def set_watches(self):
        """On a new connection, as client libraries do."""
        paths = b''.join(rawclient.text(key) for key in self.watched)
        record = (struct.pack('>qi', self.last_zxid, len(self.watched)) + paths + struct.pack('>ii', 0, 0))
        self.raw.socket.sendall(struct.pack('>iii', len(record) + 8, WATCHES_SET, SET_WATCHES) + record)

    def call_ping(self):
        self.raw.socket.sendall(struct.pack('>iii', 8, -2, PING))
        self.next_reply()

    # How sessions end

    def close_session(self):
        one = self.operation('closeSession', [(key, None) for key in self.ephemerals])
        one.after = self.last_zxid
        self.shared.history.operations.append(one)
        try:
            self.raw.send(CLOSE_SESSION)
            reply = self.next_reply()
            one.returned, one.zxid, one.outcome = self.shared.now(), reply.zxid, OK
        except OSError:
            pass
        self.drop()
        self.begin_session()

    def session_expired(self):
        """A member said so, on an attempt to go on with it."""
        one = self.operation('expired', [(key, None) for key in self.ephemerals])
        one.after, one.told, one.invoked = self.last_zxid, self.shared.now(), 0.0
        self.shared.history.operations.append(one)
        self.expired += 1
        self.begin_session()


# What the run itself reads and writes

def prepare(member, history):
    """The nodes that all clients expect, as operations of the history."""
    client = member.client(timeout_milliseconds=30000)
    for key in (ROOT, EPHEMERALS, *PARENTS, *REGISTERS):
        one = Operation('create', client=-1, invoked=-1.0, writes=[(key, f'initially {key}')])
        reply = client.create(key, f'initially {key}'.encode())
        if reply.error:
            raise AssertionError(f'creating {key} was answered with {reply.error}')
        one.returned, one.outcome, one.zxid = 0.0, OK, reply.zxid
        history.operations.append(one)
    client.close_session()


def read_tree(client, keys):
    """Every node below ROOT and each of `keys`, as {key: (value, stat)}, nil for those not there, and
    the zxids of the first and the last reply."""
    client.call(SYNC, rawclient.text(ROOT))
    found = []
    for parent in (ROOT, EPHEMERALS, *PARENTS):
        reply = client.call(GET_CHILDREN2, rawclient.watch_record(parent))
        # That a parent is missing is found where it is read.
        if not reply.error:
            found += [f'{parent}/{reply.body.text()}' for _ in range(reply.body.unpack('>i'))]
    wanted = sorted({ROOT, EPHEMERALS, *PARENTS, *found, *keys})
    nodes, zxids = {}, []
    for at in range(0, len(wanted), 500):
        part = wanted[at:at + 500]
        client.socket.sendall(b''.join(
            client.encode(GET_DATA, rawclient.watch_record(key)) for key in part))
        for key in part:
            reply = client.receive()
            zxids.append(reply.zxid)
            value = None if reply.error else reply.body.buffer().decode()
            nodes[key] = None if reply.error else (value, reply.body.stat())
    return nodes, zxids[0], zxids[-1]
