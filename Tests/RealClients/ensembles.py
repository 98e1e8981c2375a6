"""Ensembles on loopback whose members are servers of either kind, each on a directory of its own.

A member's kind is `aviary` (the server under test) or `apache` (Debian's Apache ZooKeeper); it can
change between a stop and a start, on the same data. With `--server apache` all are Apache.
"""
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time
import unittest

import harness
import rawclient
from ensemble_ports import Ports

if harness.optional('kazoo'):
    import history
    import roundtrip

# Tests are left out by it while their files are read.
harness.take_server_option()
# Whether to take the time for all of it.
FULL = os.environ.get('AVIARY_ENSEMBLES') == 'full'
AVIARY, APACHE = 'aviary', 'apache'
# Apache takes the interval of its reaper from the command line, and Aviary from the file.
REAPER = 'znode.container.checkIntervalMs'
REAPER_MILLISECONDS = 300
APACHE_COMMAND = harness.APACHE.replace('java -Xmx512m ', (
    f'java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -D{REAPER}={REAPER_MILLISECONDS} '))
TICK_MILLISECONDS = 500
# Of sessions that must not end while a busy machine takes its time.
KEPT_MILLISECONDS = 300_000
SETTINGS = (f'tickTime={TICK_MILLISECONDS}', 'initLimit=60', 'syncLimit=20', 'minSessionTimeout=400',
            f'maxSessionTimeout={KEPT_MILLISECONDS}', 'preAllocSize=256', 'extendedTypesEnabled=true',
            f'{REAPER}={REAPER_MILLISECONDS}', harness.SUPER_DIGEST)
LONGEST_WAIT_SECONDS = 60.0
# A member keeps the digest of each zxid that is a multiple of 128.
ZXIDS_BETWEEN_DIGESTS = 130
# How long something that Apache should have done at once is waited for before it is woken. Its
# CommitProcessor looks at its queues, then takes a lock and waits without another look: what came in
# between is not seen before the next request or commit. Seen with a read and with a commit,
# about once in fifteen minutes of these tests; a thread dump showed it. In use somebody pings soon.
WAKES_APACHE_SECONDS = 2.0
NOT_SERVING = 'This ZooKeeper instance is not currently serving requests'

needs_kazoo = unittest.skipUnless(
    harness.optional('kazoo'), 'the Python package kazoo is not installed')
needs_apache = unittest.skipUnless(
    harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
only_in_full = unittest.skipUnless(FULL, 'only with AVIARY_ENSEMBLES=full')


class Member(harness.Server):
    """One server of an ensemble."""

    def __init__(self, ensemble, identity, kind, settings):
        self.identity = identity
        self.kind = kind
        self.mismatches_at_start = 0
        self.forgets_mismatches = False
        directory = ensemble.directory / f'member-{identity}'
        directory.mkdir()
        super().__init__(settings, directory=directory, port=ensemble.ports.next())
        self.become(kind)
        (self.data / 'myid').write_text(f'{identity}\n')

    def spawn(self):
        """As of any server. Apache counts mismatches while it reads what it has, and when it stops
        and begins again to be brought up to date, with an Apache leader as well."""
        self.mismatches_at_start = 0
        self.forgets_mismatches = harness.is_apache(self.template)
        super().spawn()

    def become(self, kind):
        """What it is from the next start on."""
        self.kind = kind
        self.template = APACHE_COMMAND if kind == APACHE else harness.server_template()
        if harness.is_apache(self.template):
            self.template = APACHE_COMMAND
        self.log = self.directory / f'server-{kind}.log'

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def is_serving(self):
        return self.mode() in ('leader', 'follower', 'observer')

    def mode(self):
        """As `srvr` tells it; nil while the member serves nobody."""
        return self.field('Mode', r'(\w+)')

    def zxid(self):
        text = self.field('Zxid', r'0x([0-9a-f]+)')
        return int(text, 16) if text else None

    def field(self, name, pattern):
        if self.process is not None and self.process.poll() is not None:
            code = self.process.returncode
            if code not in (-signal.SIGKILL, 0):
                raise harness.StartRefused(f'member {self.identity} ended with code {code}')
            return None
        found = re.search(f'{name}: {pattern}', self.try_words('srvr'))
        return found and found[1]

    def try_words(self, word):
        """The answer to a four letter word, empty while there is none."""
        try:
            return self.words(word)
        except OSError:
            return ''

    def monitored(self, name):
        """A number of `mntr`."""
        found = re.search(rf'^zk_{name}\t(-?\d+)', self.words('mntr'), re.MULTILINE)
        if not found:
            raise AssertionError(f'mntr of member {self.identity} has no {name}')
        return int(found[1])

    def digests(self):
        """The tree's digest at some zxids, as `hash` tells it."""
        lines = re.findall(r'^([0-9a-f]+): (-?\w+)$', self.words('hash'), re.MULTILINE)
        return {int(zxid, 16): digest for zxid, digest in lines}

    def files(self, kind):
        """The names of its snapshots or logs."""
        return {path.name for path in (self.data / 'version-2').glob(f'{kind}.*')}

    def logged(self, text):
        """Whether the bytes are in one of its logs."""
        return any(text in (self.data / 'version-2' / name).read_bytes() for name in self.files('log'))

    def write_many(self, path, count):
        """Creates a node and `count` nodes below it."""
        client = self.client()
        for name in (path, *(f'{path}/{n}' for n in range(count))):
            client.send(rawclient.CREATE, rawclient.create_record(name, name.encode()))
        errors = {client.receive().error for _ in range(count + 1)}
        client.close_session()
        if errors != {rawclient.OK}:
            raise AssertionError(f'below {path} some creates are answered with {errors}')

    def client(self, **options):
        if not harness.is_apache(self.template):
            return super().client(**options)
        try:
            return super().client(ping_seconds=WAKES_APACHE_SECONDS, **options)
        except TimeoutError:
            # There is nothing to ping with before the session is there.
            return super().client(ping_seconds=WAKES_APACHE_SECONDS, **options)

    def may_sleep(self):
        """Whether it is an Apache that was told of everything, and may have missed it: see
        WAKES_APACHE_SECONDS."""
        return harness.is_apache(self.template) and (
            self.mode() != 'follower'
            or self.monitored('learner_proposal_received_count') == self.monitored('learner_commit_received_count'))

    def pause(self):
        """Returns when none of its threads goes on."""
        self.process.send_signal(signal.SIGSTOP)
        threads = pathlib.Path(f'/proc/{self.process.pid}/task')

        def is_stopped():
            return all((thread / 'stat').read_text().rpartition(')')[2].split()[0] == 'T'
                       for thread in threads.iterdir())
        harness.wait_until(is_stopped, what=f'that member {self.identity} is paused')

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def lose_data(self):
        """The directory of a machine that was replaced: only the member's id is there."""
        shutil.rmtree(self.data / 'version-2')


class Ensemble:
    """Members with the ids 1, 2, …; some are observers."""

    # Of the leader with whom digests were compared last.
    epoch_of_digests = None

    def __init__(self, kinds, observers=(), settings=(), directory=None, has_observer_masters=False):
        """`kinds` in the order of ids; `observers` are ids; `settings` are lines for every zoo.cfg."""
        self.owned = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix='aviary-ensemble-'))
        self.ports = Ports()
        self.observers = frozenset(observers)
        # The port of observer masters is the same number everywhere, so each needs its own address.
        if has_observer_masters:
            settings = (*settings, f'observerMasterPort={self.ports.next()}')
        lines = [f'server.{n}=127.0.0.{n if has_observer_masters else 1}:{self.ports.next()}:{self.ports.next()}:'
                 + ('observer' if n in self.observers else 'participant')
                 for n in range(1, len(kinds) + 1)]
        self.members = []
        for n, kind in enumerate(kinds, 1):
            own = ('peerType=observer',) if n in self.observers else ()
            self.members.append(Member(self, n, kind, (*SETTINGS, *settings, *own, *lines)))

    def __getitem__(self, identity):
        return self.members[identity - 1]

    @property
    def voters(self):
        return [member for member in self.members if member.identity not in self.observers]

    @property
    def running(self):
        return [member for member in self.members if member.is_running]

    @property
    def hosts(self):
        """The connect string of all."""
        return ','.join(member.hosts for member in self.members)

    def start(self):
        """Starts all on empty directories; the voter with the highest id leads. Only a majority
        that needs it is there at first, and it is the one that the others vote for."""
        first, others = self.voters[-1], self.voters[:-1]
        early = [first, *others[:len(self.voters) // 2]]
        for member in early:
            member.spawn()
        self.wait_until_serving(early)
        for member in self.members:
            if member not in early:
                member.spawn()
        self.wait_until_serving()
        if self.leader() is not first:
            raise AssertionError(f'member {self.leader().identity} leads, not {first.identity}')
        return self

    def stop(self):
        for member in self.members:
            member.stop()
        self.ports.give_back()
        if self.owned:
            shutil.rmtree(self.directory, ignore_errors=True)

    def kill_all(self):
        """Kills all at once, with all that they wanted to write."""
        running = self.running
        for member in running:
            member.process.kill()
        for member in running:
            member.process.wait(30)

    def restart(self, member):
        """Ends a member without warning, starts it again, and waits until it has what all had then.
        Others may write meanwhile."""
        member.kill()
        member.spawn()
        self.wait_until_in_step(quiet=False)

    def replace(self, member, kind):
        """Puts a server of another kind on a member's data, as `restart` does one of its own."""
        member.terminate()
        member.become(kind)
        member.spawn()
        self.wait_until_in_step(quiet=False)

    # What it waits for

    def leader(self):
        """The member that leads, or nil."""
        leaders = [member for member in self.running if member.mode() == 'leader']
        return leaders[-1] if leaders else None

    def followers(self):
        return [member for member in self.running if member.mode() == 'follower']

    def wait_for_leader(self, other_than=None):
        """The leader, with a majority that follows it."""
        def found():
            leader = self.leader()
            enough = len(self.voters) // 2
            return leader is not other_than and len(self.followers()) >= enough and leader
        return harness.wait_until(found, LONGEST_WAIT_SECONDS, 'that one leads and a majority follows')

    def wait_until_serving(self, members=None):
        members = members or self.running
        for member in members:
            harness.wait_until(member.is_serving, LONGEST_WAIT_SECONDS,
                               f'that member {member.identity} ({member.kind}) serves')

    def wait_until_in_step(self, quiet=True):
        """Waits until every running member serves and has done what was written before. `quiet`:
        nobody writes meanwhile, so that all have the same last zxid; under writers it is chance
        that they have, which takes ever longer the faster these write."""
        self.wait_until_serving()
        zxid = self.write_nothing()
        wake = time.monotonic() + WAKES_APACHE_SECONDS

        def all_have_it():
            nonlocal wake
            zxids = {member: member.zxid() or 0 for member in self.running}
            if min(zxids.values()) >= zxid and (not quiet or len(set(zxids.values())) == 1):
                return True
            late = [member for member in zxids if zxids[member] < max(zxids.values())]
            if time.monotonic() > wake and all(member.may_sleep() for member in late):
                self.write_nothing()
                wake = time.monotonic() + WAKES_APACHE_SECONDS
            return False
        harness.wait_until(all_have_it, LONGEST_WAIT_SECONDS, f'that all have zxid {zxid:#x}')

    def write_nothing(self):
        """The zxid of a transaction that leaves the tree as it is."""
        def written():
            leader = self.leader()
            try:
                client = leader and leader.client()
                return client and client.call(rawclient.CLOSE_SESSION).zxid
            except (OSError, rawclient.Refused):
                return None
        return harness.wait_until(written, LONGEST_WAIT_SECONDS, 'that the leader takes a write')

    # What all members have to agree on

    def disagreements(self):
        """A line for everything in which trees, digests and their counts differ. The trees are read
        again while somebody's session ends between two readings."""
        for _ in range(3):
            self.wait_until_in_step()
            members = self.running
            try:
                trees = [self.tree(member) for member in members]
            except AssertionError as gone_meanwhile:
                lines = [str(gone_meanwhile)]
                continue
            lines = [f'member {member.identity}, not as member {members[0].identity}: {line}'
                     for member, tree in zip(members[1:], trees[1:])
                     for line in history.differences(trees[0], tree)]
            if not lines:
                break
            time.sleep(1)
        return lines + self.digest_faults()

    @staticmethod
    def tree(member):
        """As clients read it. Each server counts for itself what a quota limits."""
        tree = roundtrip.read(member)
        return {path: dict(node, data=None) if path.endswith('/zookeeper_stats') else node
                for path, node in tree.items()}

    def digest_faults(self):
        """Lets all compute digests, and compares these. A mismatch that an Apache counted before it
        was in step for the first time, with this leader, does not matter."""
        zxid = self.running[0].zxid()
        if zxid >> 32 != self.epoch_of_digests:
            # There is another leader since: those that live on began again as well.
            self.epoch_of_digests = zxid >> 32
            for member in self.running:
                member.forgets_mismatches = harness.is_apache(member.template)
        before = {member: member.monitored('digest_mismatches_count') for member in self.running}
        self.write_failures(ZXIDS_BETWEEN_DIGESTS)
        self.wait_until_in_step()
        faults, known = [], {}
        for member in self.running:
            count = member.monitored('digest_mismatches_count')
            if member.forgets_mismatches:
                member.mismatches_at_start = before[member]
                member.forgets_mismatches = False
            if count > member.mismatches_at_start:
                faults.append(f'member {member.identity} ({member.kind}) counts {count} digest mismatches')
            digests = {at: digest for at, digest in member.digests().items() if at > zxid}
            if not digests:
                faults.append(f'member {member.identity} ({member.kind}) has no digest after {zxid:#x}')
            for at, digest in digests.items():
                other, theirs = known.setdefault(at, (member, digest))
                if theirs != digest:
                    faults.append(f'at {at:#x} member {other.identity} ({other.kind}) has digest {theirs}, '
                                  f'member {member.identity} ({member.kind}) {digest}')
        return faults

    def write_failures(self, count):
        """That many transactions that change nothing."""
        client = self.leader().client()
        for _ in range(count):
            client.send(rawclient.CREATE, rawclient.create_record('/zookeeper', b''))
        for _ in range(count):
            client.receive()
        client.close_session()
