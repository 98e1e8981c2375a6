"""Clients of an ensemble that live through the end of its members: they write, hold locks and
ephemerals, and tell what they lost."""
import logging
import threading

from kazoo import exceptions
from kazoo.client import KazooClient, KazooState

import ensembles
import harness
import rawclient
import roundtrip

KAZOO_TIMEOUT_SECONDS = 40.0
BETWEEN_WRITES_SECONDS = 0.01
LOCKS, WRITTEN, HELD = '/locks', '/written', '/held'
UNCERTAIN = (exceptions.ConnectionLoss, exceptions.OperationTimeoutError, exceptions.ConnectionClosedError,
             exceptions.SessionMovedError)

# Kazoo warns of every lost connection, and here many are lost on purpose.
logging.getLogger('kazoo').setLevel(logging.ERROR)


def attach(members, session, what, **options):
    """A client that goes on with the session, at the first member that takes it. One that does not
    serve yet, or has not seen what the client has, closes the connection."""
    def attached():
        for member in members:
            try:
                return member.client(session=session, timeout_milliseconds=ensembles.KEPT_MILLISECONDS,
                                     **options)
            except rawclient.Refused:
                raise AssertionError(f'member {member.identity} ({member.kind}) does not know {what} any more')
            except OSError:
                continue
        return None
    return harness.wait_until(attached, ensembles.LONGEST_WAIT_SECONDS, f'that one takes {what}')


class Writer(roundtrip.Writer):
    """Goes on at any member. `number` chooses the one that it tries first."""

    kept_milliseconds = ensembles.KEPT_MILLISECONDS

    def __init__(self, members, number):
        super().__init__(members[number], number)
        self.number = number

    def attach_to_one_of(self, members):
        """And writes: what the last connection left in flight is done before that, or refused as
        SESSION_MOVED."""
        first = self.number % len(members)
        what = f'the session of writer {self.number}'

        def written():
            self.client = attach([*members[first:], *members[:first]], self.session, what,
                                 last_zxid=self.last_zxid)
            try:
                return self.client.call(
                    roundtrip.SET_DATA, rawclient.set_record(f'/alive-{self.number}', b''))
            except OSError:
                return None
        reply = harness.wait_until(written, ensembles.LONGEST_WAIT_SECONDS, f'that one writes for {what}')
        self.last_zxid = roundtrip.done(reply).zxid

    def stop(self):
        """Ends the thread, whether or not its member has ended."""
        try:
            self.client.socket.shutdown(2)
        except OSError:
            pass
        self.finish()


class Writers:
    """One at each member, each with a session that must never end."""

    def __init__(self, ensemble):
        self.ensemble = ensemble
        client = roundtrip.super_client(ensemble.leader())
        roundtrip.done(client.create(roundtrip.LIVE))
        client.close_session()
        ensemble.wait_until_in_step()
        self.all = [Writer(ensemble.members, n) for n in range(len(ensemble.members))]

    def start(self):
        for writer in self.all:
            writer.start()

    def wait_for_more(self, count=40):
        """Waits until each of those that are not interrupted has written some more."""
        goals = [(writer, writer.acknowledged.count + count) for writer in self.all]
        harness.wait_until(
            lambda: all(writer.acknowledged.count >= goal or not writer.thread.is_alive()
                        for writer, goal in goals),
            ensembles.LONGEST_WAIT_SECONDS, 'that the writers write')

    def stop(self):
        for writer in self.all:
            writer.stop()

    def losses(self):
        """What any member lacks of what was acknowledged, once the writers are stopped. They can go
        on from what the tree has: what nobody acknowledged may be in it."""
        for writer in self.all:
            writer.attach_to_one_of(self.ensemble.running)
        self.ensemble.wait_until_in_step(quiet=False)
        trees = [roundtrip.read(member, roundtrip.LIVE) for member in self.ensemble.running]
        return [f'member {member.identity} ({member.kind}): {line}'
                for member, tree in zip(self.ensemble.running, trees)
                for writer in self.all for line in writer.lost(tree)]


class Holder:
    """A program that holds a lock and an ephemeral node, and writes with every breath. Another waits
    for the lock and must not get it."""

    def __init__(self, hosts, number):
        self.number = number
        self.states = []
        self.acknowledged = []
        self.uncertain = 0
        self.fault = None
        self.robbed = False
        self.ending = threading.Event()
        self.may_write = threading.Event()
        self.may_write.set()
        self.rests = threading.Event()
        self.client = self.connect(hosts)
        self.client.add_listener(self.states.append)
        self.session = self.client.client_id[0]
        self.client.create(f'{HELD}/{number}', b'held', ephemeral=True)
        self.client.create(f'{WRITTEN}/{number}')
        self.lock = self.client.Lock(f'{LOCKS}/{number}', f'holder {number}')
        self.lock.acquire(timeout=ensembles.LONGEST_WAIT_SECONDS)
        self.rival = self.connect(hosts)
        self.rival_session = self.rival.client_id[0]
        self.rival_states = []
        self.rival.add_listener(self.rival_states.append)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.write, self.compete)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def connect(hosts):
        forever = {'max_tries': -1, 'delay': 0.05, 'max_delay': 0.5}
        client = KazooClient(hosts, timeout=KAZOO_TIMEOUT_SECONDS, connection_retry=dict(forever),
                             command_retry=dict(forever))
        client.start(ensembles.LONGEST_WAIT_SECONDS)
        return client

    def write(self):
        count = 0
        while not self.ending.is_set():
            if not self.may_write.is_set():
                self.rests.set()
                self.may_write.wait()
                continue
            count += 1
            try:
                self.client.create(f'{WRITTEN}/{self.number}/{count}', b'%d' % count)
                self.acknowledged.append(count)
                self.ending.wait(BETWEEN_WRITES_SECONDS)
            except UNCERTAIN:
                self.uncertain += 1
                self.ending.wait(0.05)
            except Exception as fault:
                self.fault = f'{type(fault).__name__}: {fault}'
                return

    def compete(self):
        lock = self.rival.Lock(f'{LOCKS}/{self.number}', f'rival {self.number}')
        try:
            lock.acquire()
            self.robbed = not self.ending.is_set()
            lock.release()
        except Exception as fault:
            if not self.ending.is_set():
                self.fault = f'rival: {type(fault).__name__}: {fault}'

    def pause(self):
        """Returns when it has written for now."""
        self.rests.clear()
        self.may_write.clear()
        harness.wait_until(lambda: self.rests.is_set() or self.fault, ensembles.LONGEST_WAIT_SECONDS,
                           f'that holder {self.number} rests')

    def go_on(self):
        self.may_write.set()

    def wait_for_more(self, count=20):
        goal = len(self.acknowledged) + count
        harness.wait_until(lambda: len(self.acknowledged) >= goal or self.fault,
                           ensembles.LONGEST_WAIT_SECONDS, f'that holder {self.number} writes')

    def complaints(self):
        """What it noticed but for reconnects. Kazoo tells no session while it has no connection."""
        for client in (self.client, self.rival):
            harness.wait_until(lambda: client.client_id or self.fault, ensembles.LONGEST_WAIT_SECONDS,
                               f'that holder {self.number} and its rival are connected')
        name = f'holder {self.number}'
        lines = [f'{name}: {self.fault}'] if self.fault else []
        if self.robbed:
            lines.append(f'{name}: another got the lock that it holds')
        if KazooState.LOST in self.states + self.rival_states:
            lines.append(f'{name}: a session was lost: {self.states} {self.rival_states}')
        sessions = [(client.client_id or [None])[0] for client in (self.client, self.rival)]
        if sessions != [self.session, self.rival_session]:
            lines.append(f'{name}: it has another session')
        return lines

    def losses(self, member):
        """What a member in step lacks of what is held and was acknowledged."""
        client = KazooClient(member.hosts, timeout=KAZOO_TIMEOUT_SECONDS)
        client.start(ensembles.LONGEST_WAIT_SECONDS)
        acknowledged = {str(count) for count in list(self.acknowledged)}
        client.sync(WRITTEN)
        found = set(client.get_children(f'{WRITTEN}/{self.number}'))
        missing = sorted(map(int, acknowledged - found))
        lines = [f'acknowledged writes are missing: {missing[:9]} of {len(missing)}'] if missing else []
        stat = client.exists(f'{HELD}/{self.number}')
        if not stat or stat.ephemeralOwner != self.session:
            lines.append(f'{HELD}/{self.number} is not there, or not of session {self.session:#x}: {stat}')
        contenders = client.Lock(f'{LOCKS}/{self.number}', 'judge').contenders()
        if contenders != [f'holder {self.number}', f'rival {self.number}']:
            lines.append(f'the lock is held and waited for by {contenders}')
        client.stop()
        client.close()
        return [f'member {member.identity} ({member.kind}), holder {self.number}: {line}' for line in lines]

    def stop(self):
        self.ending.set()
        self.may_write.set()
        self.threads[0].join(30)
        for client in (self.client, self.rival):
            client.stop()
            client.close()
        self.threads[1].join(30)


def prepare_holders(ensemble):
    client = Holder.connect(ensemble.hosts)
    for path in (LOCKS, WRITTEN, HELD):
        client.create(path)
    client.stop()
    client.close()
    ensemble.wait_until_in_step()
