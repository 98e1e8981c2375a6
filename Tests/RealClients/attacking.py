"""What attacks are made of: the server they are after, bytes, and bare connections.

An attack is a function with the mark `@attack`, found in attacks_*.py; `Scripts/attack` runs them.
One that ends without an exception has only been carried out: whether the server minds is for the
runner to see. An attack raises AssertionError where an answer is plainly wrong.
"""
import multiprocessing
import os
import random
import resource
import select
import signal
import socket
import struct
import time

import rawclient
from rawclient import buffer, text

SESSION_MILLISECONDS = 2000
LONGEST_FRAME = 0xfffff
EXISTS, GET_ACL, SET_ACL, GET_CHILDREN, SYNC, CREATE_TTL, MULTI_READ = 3, 6, 7, 8, 9, 21, 22
SASL, GET_EPHEMERALS = 102, 103
GET_ALL_CHILDREN_NUMBER, SET_WATCHES, SET_WATCHES2, ADD_WATCH, WHO_AM_I = 104, 101, 105, 106, 107
BIG_VALUE, CROWD, SCRATCH = '/target/big', '/target/crowd', '/scratch'
RESET = struct.pack('ii', 1, 0)

attacks = {}
fork = multiprocessing.get_context('fork')


def attack(function):
    attacks[function.__name__.replace('_', '-')] = function
    return function


class Target:
    """The server under attack, as an attack sees it. `note` is shown with what was done."""

    def __init__(self, server, quick, seed, bystander_session):
        self.server = server
        self.address = server.address
        self.quick = quick
        self.random = random.Random(seed)
        self.bystander_session = bystander_session
        self.note = ''

    def size(self, full, quick):
        return quick if self.quick else full

    def client(self, timeout=20000):
        """A client that is to outlast what it does to the server."""
        return rawclient.RawClient(self.address, timeout, limit=30.0)

    def connect(self, number=0, limit=10.0):
        """A bare connection; `number` chooses one of the machine's loopback addresses, as each has
        only so many ports."""
        source = (f'127.0.0.{2 + number % 100}', 0) if number else None
        return socket.create_connection(self.address, limit, source)

    def processes(self, count, work):
        """Runs `work(number)` in processes at once; returns the sum of the numbers they return."""
        def run(number, result):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            try:
                result.send(work(number) or 0)
            except Exception as fault:
                result.send(f'{type(fault).__name__}: {fault}')
            os._exit(0)
        pairs = []
        for number in range(count):
            ours, theirs = fork.Pipe(False)
            process = fork.Process(target=run, args=(number, theirs), daemon=True)
            process.start()
            theirs.close()
            pairs.append((process, ours))
        results = [ours.recv() for _, ours in pairs]
        for process, ours in pairs:
            process.join(30)
            ours.close()
        faults = [result for result in results if isinstance(result, str)]
        if faults:
            raise AssertionError('; '.join(sorted(set(faults))))
        return sum(results)


# MARK: Bytes

def frame(payload):
    return struct.pack('>i', len(payload)) + payload


def handshake(timeout=SESSION_MILLISECONDS, session=0, password=bytes(16), zxid=0, tail=b'\0'):
    return frame(struct.pack('>iqiq', 0, zxid, timeout, session) + buffer(password) + tail)


def request(code, record=b'', xid=1):
    return frame(struct.pack('>ii', xid, code) + record)


def item(code, record):
    """One operation of a multi."""
    return struct.pack('>ibi', code, 0, -1) + record


def deep(depth):
    return '/scratch' + '/d' * depth


def try_send(connection, data, seconds=5.0):
    """How many bytes the server took within the time; it may also have closed the connection."""
    connection.setblocking(False)
    view, sent, end = memoryview(data), 0, time.monotonic() + seconds
    while sent < len(data) and time.monotonic() < end:
        if not select.select([], [connection], [], 0.2)[1]:
            continue
        try:
            sent += connection.send(view[sent:sent + (1 << 20)])
        except BlockingIOError:
            continue
        except OSError:
            break
    return sent


def drain(connection, seconds=2.0, quiet=None):
    """What comes until the server closes, the time is over, or nothing comes for `quiet` seconds."""
    received, end = bytearray(), time.monotonic() + seconds
    connection.setblocking(True)
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(min(left, quiet or left))
        try:
            more = connection.recv(1 << 20)
        except OSError:
            break
        if not more:
            break
        received += more if len(received) < 1 << 16 else b''
    return bytes(received)


def established(target, number=0, timeout=SESSION_MILLISECONDS):
    """A bare connection with a session."""
    connection = target.connect(number, 30.0)
    connection.sendall(handshake(timeout))
    answer = b''
    while len(answer) < 41:
        more = connection.recv(41 - len(answer))
        if not more:
            raise ConnectionError('no session')
        answer += more
    return connection


def poke(target, payloads, seconds=0.3):
    """Sends each payload on a session of its own, all at once, and looks at what comes back.

    Returns how many connections the server closed."""
    closed = 0
    for at in range(0, len(payloads), 200):
        connections = [established(target) for _ in payloads[at:at + 200]]
        for connection, payload in zip(connections, payloads[at:at + 200]):
            try_send(connection, payload)
        time.sleep(seconds)
        for connection in connections:
            connection.setblocking(False)
            try:
                while more := connection.recv(1 << 20):
                    pass
                closed += not more
            except BlockingIOError:
                pass
            except OSError:
                closed += 1
            connection.close()
    return closed
