"""Attacks by what is in a request: records that lie, large answers to small questions, watches, lists."""
import struct
import time

import rawclient
from attacking import *  # noqa: F403  (all of it is for attacks)
from rawclient import buffer, text


# MARK: Records that lie

HUGE = (-2, -2**31, 2**31 - 1, 0x7ffffff0, 1 << 20, 1 << 24)


@attack
def opcodes(target):
    """every opcode from -20 to 130 with an empty, a truncated, a random and a lying body"""
    valid = rawclient.create_record(SCRATCH + '/o', b'data')
    payloads = []
    for code in range(-20, 131):
        bodies = [b'', valid[:1], valid[:9], valid[:-3], target.random.randbytes(60),
                  struct.pack('>i', 2**31 - 1), struct.pack('>i', -2) + bytes(30), text(SCRATCH) * 3]
        payloads += [request(code, body, xid) for xid, body in enumerate(bodies[::target.size(1, 2)])]
    closed = poke(target, payloads)
    target.note = f'{len(payloads)} requests, {closed} connections closed'


@attack
def odd_codes(target):
    """createTTL with a negative ttl, deleteContainer, createSession, a lone check, special xids"""
    payloads = []
    for flags in range(-1, 9):
        for ttl in (-1, 0, 2**40, -2**63, 2**63 - 1):
            record = rawclient.create_record(f'{SCRATCH}/t', b'', flags) + struct.pack('>q', ttl)
            payloads.append(request(CREATE_TTL, record))
            payloads.append(request(rawclient.MULTI, rawclient.multi_record([(CREATE_TTL, record)])))
    for code in (20, -10, 13, 0, -1, 10, 16):
        for record in (text(SCRATCH), text('/target'), text('/') + bytes(4), struct.pack('>i', 1000)):
            payloads.append(request(code, record) + request(code, record))
    payloads += [request(rawclient.GET_DATA, rawclient.watch_record(SCRATCH), xid)
                 for xid in (0, -1, -2, -4, -8, -2**31)]
    payloads += [request(code, b'') * 500 for code in (11, 100, 102, 103, 107)]
    poke(target, payloads)


@attack
def lengths(target):
    """lengths that are negative or 2^31-1 inside of strings, buffers and vectors"""
    payloads = []
    for size in HUGE:
        lie = struct.pack('>i', size)
        open_acl = rawclient.acl_list(rawclient.ANYONE)
        path = text(SCRATCH + '/l')
        bodies = {
            rawclient.CREATE: [
                lie, path + lie, path + buffer(b'') + lie, path + buffer(b'') + open_acl[:8] + lie,
                path + buffer(b'') + struct.pack('>ii', 1, 31) + text('world') + lie,
                path + buffer(b'') + lie + open_acl[4:] * 1000 + bytes(4)],
            SET_ACL: [text(SCRATCH) + lie, text(SCRATCH) + lie + open_acl[4:] * 1000],
            rawclient.SET_DATA: [text(SCRATCH) + lie, lie], EXISTS: [lie], ADD_WATCH: [lie],
            rawclient.AUTH: [bytes(4) + lie, bytes(4) + text('digest') + lie], SASL: [lie],
            SET_WATCHES: [bytes(8) + lie, bytes(8) + lie + bytes(1000), bytes(12) + lie, bytes(16) + lie],
            SET_WATCHES2: [bytes(20) + lie + bytes(900_000), bytes(24) + lie,
                           bytes(8) + lie + bytes(900_000)],
            rawclient.MULTI: [item(1, lie), item(5, text('/') + lie)], MULTI_READ: [item(4, lie)],
            GET_EPHEMERALS: [lie]}
        payloads += [request(code, body) for code, all_bodies in bodies.items() for body in all_bodies]
        payloads.append(frame(struct.pack('>i', size)))
        payloads.append(lie + request(rawclient.AUTH))
    closed = poke(target, payloads)
    target.note = f'{len(payloads)} requests, {closed} connections closed'


@attack
def multis(target):
    """multis of as many operations as a frame holds, nested, mixed, without an end"""
    check = item(13, rawclient.version_record('/'))
    end = struct.pack('>ibi', -1, 1, -1)
    many = LONGEST_FRAME // len(check) - 2
    create = item(1, rawclient.create_record(SCRATCH + '/m', b''))
    payloads = [
        check * many + end, check * many, end * (LONGEST_FRAME // 9 - 2), create * 10_000 + end,
        item(5, rawclient.set_record(SCRATCH, b'')) * 20_000
        + item(13, rawclient.version_record(SCRATCH, 77)) + end,
        item(14, check * 1000 + end) + end, item(22, item(4, rawclient.watch_record('/')) + end) + end,
        item(-1, b'') * 1000 + end, item(-11, b'') + end, item(100, bytes(4)) + end,
        create + item(4, rawclient.watch_record('/')) + end, b'\0' * 900_000, b'\xff' * 900_000]
    nested = end
    for _ in range(3000):
        nested = item(14, nested) + end
    payloads += [nested[:900_000], (create + item(2, rawclient.version_record(SCRATCH + '/m'))) * 8000 + end]
    wrong = [request(code, body[:LONGEST_FRAME - 8]) for body in payloads for code in (14, 22)]
    target.note = f'{poke(target, wrong * target.size(4, 1), 0.5)} connections closed'


@attack
def multi_read_bomb(target):
    """one frame of a multiRead that asks for more than 4 GiB"""
    body = item(4, rawclient.watch_record(BIG_VALUE)) * 5000 + struct.pack('>ibi', -1, 1, -1)
    connection = established(target)
    try_send(connection, request(MULTI_READ, body))
    connection.settimeout(30)
    try:
        connection.recv(1)
    except OSError:
        pass
    connection.close()


@attack
def paths(target):
    """a tree that is very deep, paths as long as a frame, paths that are not UTF-8"""
    client = target.client()
    for depth in range(1, target.size(2000, 500)):
        client.send(rawclient.CREATE, rawclient.create_record(deep(depth), b''))
    for _ in range(1, target.size(2000, 500)):
        client.receive()
    strange = ['/' + 'x' * 1_040_000, '/x' * 500_000, '/' * 1_000_000, '/.' * 400_000, '/\0' * 1000,
               SCRATCH + '/' + 'é' * 500_000, SCRATCH + '/' + 'y' * 1_000_000]
    for path in strange:
        for code, record in (
                (rawclient.CREATE, rawclient.create_record(path, b'')),
                (rawclient.DELETE, rawclient.version_record(path)),
                (EXISTS, rawclient.watch_record(path, True)), (GET_CHILDREN, rawclient.watch_record(path)),
                (SYNC, text(path)), (ADD_WATCH, text(path) + bytes(4)), (GET_EPHEMERALS, text(path))):
            if len(record) < LONGEST_FRAME - 8:
                client.call(code, record)
    for code in (EXISTS, ADD_WATCH, SYNC):
        client.call(code, buffer(b'/' + b'\xff' * 1_000_000) + bytes(4))
    # Three bytes are logged for each of these.
    list_of_one = struct.pack('>ii', 1, 31) + text('digest')
    client.call(rawclient.CREATE, text(SCRATCH + '/repaired') + buffer(b'') + list_of_one
                + buffer(b'\xff' * 900_000 + b':x') + bytes(4))
    client.close_session()


# MARK: Watches

@attack
def watches(target):
    """hundreds of thousands of watches of long paths, of every kind, then dropped"""
    each = target.size(40_000, 8000)

    def work(number):
        connection = established(target)
        prefix = f'/scratch/{"w" * 80}/{number}/'
        for at in range(0, each, 500):
            data = b''.join(
                request(EXISTS, rawclient.watch_record(f'{prefix}{n}', True)) if n % 3 == 0
                else request(ADD_WATCH, text(f'{prefix}{n}') + struct.pack('>i', n % 2))
                for n in range(at, at + 500))
            try_send(connection, data, 20)
            drain(connection, 0.001)
        lists = b''.join(text(f'{prefix}s{n}') for n in range(8000))
        count = struct.pack('>i', 8000)
        try_send(connection, request(SET_WATCHES2, bytes(8) + bytes(4) + count + lists + bytes(12)), 5)
        drain(connection, 5, 0.5)
        connection.close()
        return each + 8000
    target.note = f'{target.processes(target.size(8, 4), work)} watches'


@attack
def watch_bytes(target):
    """watches of paths of 1 MB, as many as the server keeps"""
    count = target.size(300, 40)
    client = target.client()
    for number in range(count):
        client.call(ADD_WATCH, text(f'/{number:06}' + 'w' * 1_000_000) + bytes(4))
    client.socket.close()
    target.note = f'{count} MB'


@attack
def recursive_crowd(target):
    """thousands of connections with recursive watches above one node, which is then written"""
    count = target.size(3000, 600)
    connections = [established(target, 1 + at // 1000, 20000) for at in range(count)]
    for connection in connections:
        connection.sendall(b''.join(request(ADD_WATCH, text(path) + struct.pack('>i', 1))
                                    for path in ('/', SCRATCH)))
    writer = target.client()
    for number in range(target.size(100, 30)):
        writer.call(rawclient.SET_DATA, rawclient.set_record(SCRATCH, str(number).encode()))
    for connection in connections:
        connection.close()
    writer.close_session()


@attack
def deep_watch(target):
    """a recursive watch, and writes pipelined to a node 5,000 levels down"""
    client = target.client()
    depth = target.size(5000, 1500)
    for at in range(1, depth, 100):
        for level in range(at, min(at + 100, depth)):
            client.send(rawclient.CREATE, rawclient.create_record(deep(level), b''))
        for level in range(at, min(at + 100, depth)):
            client.receive()
    client.call(ADD_WATCH, text('/somewhere/else') + struct.pack('>i', 1))
    count = target.size(200, 50)
    record = rawclient.set_record(deep(depth - 1), b'')
    client.socket.sendall(b''.join(client.encode(rawclient.SET_DATA, record) for _ in range(count)))
    for _ in range(count):
        client.receive()
    client.close_session()


# MARK: Large answers

@attack
def children(target):
    """getChildren of very many children, pipelined by several who do not read"""
    ask = request(GET_CHILDREN, rawclient.watch_record(CROWD)) * target.size(300, 100)
    connections = [established(target) for _ in range(target.size(20, 6))]
    for connection in connections:
        try_send(connection, ask, 0.2)
    drain(connections[0], target.size(5, 1), 1)
    for connection in connections:
        connection.close()


@attack
def fast_reader(target):
    """the same by one client that reads as fast as it can: the server should serve others in between"""
    count = target.size(150, 300)
    connection = established(target, 0, 20000)
    connection.sendall(request(GET_CHILDREN, rawclient.watch_record(CROWD)) * count)
    drain(connection, 60, target.size(5, 1))
    connection.close()


@attack
def descendants(target):
    """getAllChildrenNumber of the root, pipelined: a short answer that takes long to find"""
    connection = established(target)
    try_send(connection, request(GET_ALL_CHILDREN_NUMBER, text('/')) * target.size(5000, 500), 1)
    drain(connection, target.size(20, 5), target.size(5, 0.5))
    connection.close()


@attack
def set_watches_answers(target):
    """setWatches with as many short paths as a frame holds: each brings an event"""
    count = 200_000
    record = struct.pack('>qi', 0, count) + text('/') * count + bytes(8)
    connections = [established(target) for _ in range(target.size(20, 5))]
    for connection in connections:
        try_send(connection, request(SET_WATCHES, record) * 10, 1)
    for connection in connections:
        connection.close()


# MARK: Identities and lists

@attack
def auth_flood(target):
    """auth packets by the thousand with different ids on one connection, and schemes that are none"""
    accepted = 0
    for _ in range(target.size(40, 6)):
        client = target.client()
        packets = (client.encode(rawclient.AUTH, bytes(4) + text('digest') + buffer(b'u%d:p' % n))
                   for n in range(500))
        try_send(client.socket, b''.join(packets), 2)
        try:
            for _ in range(500):
                if client.receive().error:
                    break
                accepted += 1
            client.call(WHO_AM_I)
        except (OSError, rawclient.Refused):
            pass
        client.socket.close()
    packets = [bytes(4) + text(scheme) + buffer(b'x:y')
               for scheme in ('', 'nonsense', 'super', 'sasl', 'x509', 'z' * 900_000)]
    packets += [bytes(4) + buffer(None) * 2, bytes(4) + text('digest') + buffer(None), b'']
    poke(target, [request(rawclient.AUTH, packet) for packet in packets])
    target.note = f'{accepted} ids taken'


@attack
def auth_bytes(target):
    """auth packets of 1 MB, each a new id that the connection keeps"""
    client = target.client()
    count = target.size(300, 40)
    try:
        for number in range(count):
            client.call(rawclient.AUTH, bytes(4) + text('digest') + buffer(b'%d' % number + b'u' * 1_000_000))
        client.send(WHO_AM_I)
        drain(client.socket, 3, 0.5)
    except OSError:
        pass
    client.socket.close()
    target.note = f'{count} MB'


@attack
def auth_acl_bomb(target):
    """a multi of creates whose ACL is `auth`, on a connection with ids of 1 MB: more than 4 GiB to log"""
    client = target.client()
    for number in range(2):
        client.call(rawclient.AUTH, bytes(4) + text('digest') + buffer(b'%d' % number + b'u' * 1_000_000))
    mine = [(31, 'auth', '')]
    body = b''.join(item(1, rawclient.create_record(f'{SCRATCH}/{n}', b'', 0, mine)) for n in range(2500))
    try:
        client.send(rawclient.MULTI, body + struct.pack('>ibi', -1, 1, -1))
        client.receive()
    except OSError:
        pass
    client.socket.close()


@attack
def acl_vector(target):
    """ACLs with as many different entries as a frame holds"""
    count = target.size(30_000, 8000)
    entries = b''.join(struct.pack('>i', n) + text('ip') + text('10.0.0.1') for n in range(count))
    client = target.client()
    record = text(SCRATCH + '/acl') + buffer(b'') + struct.pack('>i', count) + entries + bytes(4)
    client.call(rawclient.CREATE, record)
    for _ in range(target.size(20, 5)):
        client.call(EXISTS, rawclient.watch_record(SCRATCH + '/acl'))
    client.socket.close()


@attack
def acl_times_ids(target):
    """short reads of a node with as many entries in its ACL as can be, by a client with many ids"""
    client = target.client()
    # As much of both as Aviary takes.
    acl = [(1, 'digest', f'user:{number:027}') for number in range(1000)]
    client.create(SCRATCH + '/entries', b'', 0, acl)
    for number in range(90):
        client.send(rawclient.AUTH, bytes(4) + text('digest') + buffer(b'u%d:p' % number))
    for number in range(90):
        client.receive()
    reads = target.size(2000, 200)
    for _ in range(reads):
        client.send(EXISTS, rawclient.watch_record(SCRATCH + '/entries'))
    for _ in range(reads):
        client.receive()
    client.close_session()


@attack
def acl_flood(target):
    """nodes with an ACL of their own each, created and deleted"""
    client = target.client()
    for at in range(0, target.size(20_000, 1000), 500):
        for number in range(at, at + 500):
            address = f'10.{number >> 16}.{number >> 8 & 255}.{number & 255}'
            acl = [(31, 'world', 'anyone'), (1, 'ip', address)]
            client.send(rawclient.CREATE, rawclient.create_record(f'{SCRATCH}/a{number}', b'', 0, acl))
            client.send(rawclient.DELETE, rawclient.version_record(f'{SCRATCH}/a{number}'))
        for _ in range(1000):
            client.receive()
    client.close_session()


# MARK: Chance

@attack
def mutations(target):
    """valid frames with bytes changed, cut out and put in at random (see the seed)"""
    chance = target.random
    valid = valid_frames(SCRATCH + '/f')
    count, end = 0, time.monotonic() + target.size(20, 2)
    while time.monotonic() < end:
        connections = [established(target) for _ in range(50)]
        for connection in connections:
            try_send(connection, b''.join(mutate(chance.choice(valid), chance) for _ in range(20)), 1)
            count += 20
        for connection in connections:
            connection.close()
    target.note = f'{count} frames'


def valid_frames(path):
    """A handshake, and one request of each kind."""
    create, version = rawclient.create_record, rawclient.version_record(path)
    one, mode = struct.pack('>i', 1) + text(path), text(path) + bytes(4)
    parts = [(rawclient.CREATE, create(path, b'')), (rawclient.DELETE, version)]
    read = item(rawclient.GET_DATA, rawclient.watch_record(path)) + struct.pack('>ibi', -1, 1, -1)
    records = [
        (1, create(path, b'data')), (2, version), (3, rawclient.watch_record(path, True)),
        (4, rawclient.watch_record(path, True)), (5, rawclient.set_record(path, b'data')),
        (6, text(path)), (7, text(path) + rawclient.acl_list(rawclient.ANYONE) + bytes(4)),
        (8, rawclient.watch_record(path)), (9, text(path)), (11, b''),
        (12, rawclient.watch_record(path)), (14, rawclient.multi_record(parts)),
        (15, create(path, b'data', 1)), (16, text('') * 3 + bytes(8)), (17, mode), (18, mode),
        (19, create(path, b'', 4)), (21, create(path, b'', 5) + bytes(8)), (22, read),
        (100, bytes(4) + text('digest') + buffer(b'a:b')), (101, bytes(8) + one * 3),
        (102, buffer(b'token')), (103, text(path)), (104, text(path)), (105, bytes(8) + one * 5),
        (106, mode), (107, b'')]
    return [handshake()] + [request(code, record) for code, record in records]


def mutate(data, chance):
    """The frame with a few changes; its length is made right most of the time."""
    payload = bytearray(data[4:])
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        at = chance.randrange(len(payload) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(payload):
            payload[at] = chance.randrange(256)
        elif kind == 1:
            payload[at:at + chance.randrange(8)] = b''
        elif kind == 2:
            payload[at:at] = chance.randbytes(chance.randrange(8))
        else:
            payload[at:at + 4] = struct.pack('>i', chance.choice((-1, -2, 0, 1, 2**31 - 1, -2**31, 65536)))
    return frame(bytes(payload)) if chance.random() < 0.95 else data[:4] + bytes(payload)
