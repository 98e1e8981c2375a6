"""Attacks by how a client connects, and by how slowly it sends and reads."""
import shlex
import socket
import struct
import time

import harness
import rawclient
from attacking import *  # noqa: F403  (all of it is for attacks)
from rawclient import buffer, text


# MARK: Handshakes

@attack
def handshake_lengths(target):
    """first frames of a wrong length: negative, zero, too short, too long, announced and not sent"""
    for length in (-1, -2, -2**31, 2**31 - 1, 0x100000, LONGEST_FRAME, 0, 1, 7, 8, 28, 43, 1000):
        for body in (b'', bytes(8), bytes(44)):
            with target.connect() as connection:
                connection.sendall(struct.pack('>i', length) + body)
                if not 0 <= length <= LONGEST_FRAME and drain(connection, 2):
                    raise AssertionError(f'an answer to a frame of length {length}')


@attack
def handshake_truncated(target):
    """a handshake cut off at each byte, ended by a close, a half close and a reset"""
    whole = handshake()
    for at in range(len(whole) + 1):
        for ending in ('close', 'half', 'reset'):
            connection = target.connect()
            connection.sendall(whole[:at])
            if ending == 'half':
                connection.shutdown(socket.SHUT_WR)
            if ending == 'reset':
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()


@attack
def handshake_forms(target):
    """the form without a last byte, a zxid from the future, a wrong password, garbage"""
    with target.connect() as connection:
        connection.sendall(handshake(tail=b''))
        if (got := len(drain(connection, 2, 0.3))) != 40:
            raise AssertionError(f'{got} bytes answer the form without a last byte')
    for zxid in (2**62, 2**63 - 1):
        with target.connect() as connection:
            connection.sendall(handshake(zxid=zxid))
            if drain(connection, 2):
                raise AssertionError('an answer to a zxid from the future')
    session = target.bystander_session
    for password in (bytes(16), b'x' * 15, b'', None, b'y' * 900_000):
        with target.connect() as connection:
            connection.sendall(handshake(session=session, password=password))
            answer = drain(connection, 2)
            if answer and struct.unpack_from('>i', answer, 8)[0] > 0:
                raise AssertionError('a session for a wrong password')
    for timeout in (-2**31, -1, 0, 2**31 - 1):
        with target.connect() as connection:
            connection.sendall(handshake(timeout=timeout, zxid=-2**63))
            drain(connection, 0.1)
    for _ in range(target.size(2000, 300)):
        with target.connect() as connection:
            connection.sendall(target.random.randbytes(target.random.randrange(1, 400)))


@attack
def handshake_slow(target):
    """handshakes that come a byte at a time, many at once"""
    connections = [target.connect() for _ in range(target.size(200, 50))]
    for byte in handshake():
        for connection in connections:
            connection.sendall(bytes([byte]))
    for connection in connections:
        if len(connection.recv(100)) != 41:
            raise AssertionError('no session for a handshake that came a byte at a time')
        connection.close()


@attack
def half_open(target):
    """connections that say nothing, or the first three bytes of a word; in full until they are closed"""
    connections = [target.connect() for _ in range(target.size(500, 100))]
    for connection in connections[::2]:
        connection.sendall(b'ruo')
    if target.quick:
        return
    time.sleep(21)
    still_open = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            still_open += connection.recv(1) != b''
        except BlockingIOError:
            still_open += 1
        except OSError:
            pass
        connection.close()
    if still_open:
        raise AssertionError(f'{still_open} connections without a handshake are open after 21 s')


@attack
def half_close(target):
    """half closes with requests on the way, and resets in the middle of a frame"""
    get = request(rawclient.GET_DATA, rawclient.watch_record(BIG_VALUE))
    put = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x' * 50_000))
    for _ in range(target.size(100, 20)):
        for payload in (b'', get, put * 20, get * 20, put[:1000], put + get[:9]):
            connection = established(target)
            try_send(connection, payload, 1)
            connection.shutdown(socket.SHUT_WR)
            connection.close()
            connection = established(target)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            try_send(connection, payload, 1)
            connection.close()


# MARK: Crowds

@attack
def idle_connections(target):
    """10,000 connections that never ask for a session, from several processes and addresses"""
    each = target.size(2500, 500)

    def work(number):
        connections = [target.connect(1 + 10 * number + at // 250) for at in range(each)]
        time.sleep(target.size(3, 0.5))
        return len(connections)
    target.note = f'{target.processes(4, work)} connections'


@attack
def session_connections(target):
    """10,000 connections with a session each, dropped without a close; then all sessions expire"""
    each = target.size(2500, 500)

    def work(number):
        connections = []
        for at in range(each):
            connection = target.connect(1 + 10 * number + at // 250, 30.0)
            connection.sendall(handshake(timeout=20000))
            connections.append(connection)
        count = sum(len(connection.recv(41)) == 41 for connection in connections)
        time.sleep(target.size(3, 0.5))
        return count
    target.note = f'{target.processes(4, work)} sessions'


@attack
def session_flood(target):
    """sessions made and dropped as fast as possible"""
    def work(number):
        count, end = 0, time.monotonic() + target.size(8, 1)
        while time.monotonic() < end:
            connections = [target.connect(1 + number) for _ in range(50)]
            for connection in connections:
                connection.sendall(handshake())
            for connection in connections:
                count += len(connection.recv(41)) == 41
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.close()
        return count
    target.note = f'{target.processes(2, work)} sessions'


@attack
def descriptors(target):
    """more connections than a server of its own has descriptors for, and writes that need new logs"""
    limit = 300
    words = harness.command_line(harness.server_template(), '{cfg}')
    template = shlex.join(['prlimit', f'--nofile={limit}', *words])
    server = harness.Server(('snapCount=100',), template=template).start()
    try:
        connections = []
        for _ in range(2 * limit):
            try:
                connections.append(socket.create_connection(server.address, 1))
            except OSError:
                break
        for connection in connections[:20]:
            connection.close()
        harness.wait_until(server.answers, what='room for one more connection')
        writer = server.client()
        writer.create('/descriptors')
        for _ in range(target.size(5000, 1000)):
            if writer.call(rawclient.SET_DATA, rawclient.set_record('/descriptors', b'x')).error:
                raise ConnectionError('a write was refused')
        logs = len(list(server.data.glob('version-2/log.*')))
        if logs < 2:
            raise ConnectionError('no second log was begun')
        target.note = f'{len(connections)} connections with {limit} descriptors, {logs} logs'
    finally:
        for connection in connections:
            connection.close()
        server.stop()


# MARK: Slow ones

@attack
def slow_readers(target):
    """connections that ask for 1 MiB hundreds of times, and never read"""
    asks = request(rawclient.GET_DATA, rawclient.watch_record(BIG_VALUE)) * target.size(1000, 300)
    connections = [established(target) for _ in range(target.size(40, 10))]
    for connection in connections:
        try_send(connection, asks, 0.5)
    time.sleep(1)
    for connection in connections:
        connection.close()


@attack
def slow_readers_behind_a_write(target):
    """the same, with all the reads behind a write on the same connection"""
    get = request(rawclient.GET_DATA, rawclient.watch_record(BIG_VALUE))
    put = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x' * 100))
    connections = [established(target) for _ in range(target.size(20, 8))]
    for connection in connections:
        try_send(connection, put + get * 100 + put + get * 100, 0.5)
    time.sleep(1)
    for connection in connections:
        connection.close()


@attack
def slow_senders(target):
    """frames of 1 MB that lack their last byte, held on many connections"""
    part = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x' * 1_040_000))[:-1]
    count = target.size(400, 40)
    connections = [established(target) for _ in range(count)]
    for connection in connections:
        try_send(connection, part, 2)
    connections.append(target.connect())
    try_send(connections[-1], struct.pack('>i', 1_000_000) + bytes(999_999), 2)
    time.sleep(0.5)
    for connection in connections:
        connection.close()
    target.note = f'{count} MB held'


@attack
def slow_trickle(target):
    """frames of 1 MB that come in small pieces, so that the server moves what it has again and again"""
    part = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x' * 1_040_000))
    connections = [established(target) for _ in range(target.size(20, 4))]
    for at in range(0, target.size(len(part), len(part) // 4), 1000):
        for connection in connections:
            try_send(connection, part[at:at + 1000], 1)
    for connection in connections:
        connection.close()


@attack
def unread_writes(target):
    """large and small writes pipelined without reading a reply"""
    large = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x' * 1_000_000))
    small = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x'))

    def work(number):
        connection = established(target, 0, 20000)
        payload = large * target.size(400, 20) if number % 2 else small * target.size(200_000, 30_000)
        sent = try_send(connection, payload, target.size(8, 2))
        connection.close()
        return sent
    target.note = f'{target.processes(4, work) >> 20} MB taken'


@attack
def waiting_frames(target):
    """reads of 1 MB each (most of it padding) that wait behind writes"""
    put = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'x'))
    read = request(EXISTS, rawclient.watch_record(SCRATCH) + bytes(1_000_000))

    def work(_):
        connection = established(target)
        sent = try_send(connection, (put + read * 4) * target.size(30, 8), target.size(5, 2))
        connection.close()
        return sent
    target.note = f'{target.processes(target.size(8, 4), work) >> 20} MB taken'


@attack
def behind_close(target):
    """requests pipelined behind a closeSession"""
    tail = request(rawclient.SET_DATA, rawclient.set_record(SCRATCH, b'never')) * 2000
    tail += request(rawclient.GET_DATA, rawclient.watch_record(BIG_VALUE)) * 2000
    closing = request(rawclient.CLOSE_SESSION)
    connections = [established(target) for _ in range(target.size(100, 20))]
    for connection in connections:
        try_send(connection, closing + tail + closing * 100, 0.2)
    for connection in connections:
        drain(connection, 1, 0.2)
        connection.close()
    reply = target.client().call(rawclient.GET_DATA, rawclient.watch_record(SCRATCH))
    if reply.error == 0 and reply.body.buffer() == b'never':
        raise AssertionError('a write behind closeSession was carried out')


# MARK: Four letter words

@attack
def words(target):
    """words cut short, unknown, with a tail, in a flood; stmk without all its bytes"""
    whole = [word.encode() for word in 'ruok srvr stat cons conf dump envi mntr wchs wchc wchp '
             'dirs isro gtmk crst srst hash'.split()]
    odd = [word[:size] for word in whole for size in (1, 2, 3)]
    odd += [b'stmk' + bytes(size) for size in range(8)]
    odd += [b'RUOK', b'abcd', b'\xff\xf4\xff\xfd', b'ruok' * 100_000]
    for payload in odd:
        with target.connect() as connection:
            connection.sendall(payload)
    with target.connect() as connection:
        connection.sendall(b'ruok')
        connection.shutdown(socket.SHUT_WR)
        if drain(connection, 2) != b'imok':
            raise AssertionError('no imok behind a half close')

    def work(number):
        for at in range(target.size(3000, 500)):
            connection = target.connect(1 + number)
            connection.sendall(whole[at % len(whole)])
            if at % 2:
                drain(connection, 2)
            connection.close()
        return at + 1
    target.note = f'{target.processes(2, work)} words'


@attack
def words_of_many_watches(target):
    """wchp, wchc, cons and dump while there are very many watches and connections"""
    crowd = [established(target, 1, 20000) for _ in range(target.size(2000, 300))]
    for number in range(target.size(10, 3)):
        lists = b''.join(text(f'/w{number}/{"x" * 40}/{n}') for n in range(15_000))
        record = bytes(8) + bytes(4) + struct.pack('>i', 15_000) + lists + bytes(4)
        crowd[number].sendall(request(SET_WATCHES, record))
        drain(crowd[number], 2, 0.3)
    for word in (b'wchp', b'wchc', b'cons', b'dump', b'wchs') * target.size(4, 1):
        with target.connect() as connection:
            connection.sendall(word)
            drain(connection, 10)
    for connection in crowd:
        connection.close()
