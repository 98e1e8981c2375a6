"""Apache ZooKeeper and the server under test write one data directory in turn; each is killed.

`--rounds N` (or AVIARY_ROUNDTRIPS) says how often each of them has the directory; more of it takes
longer and shows what adds up.
"""
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import time
import unittest
import zlib

import harness
import rawclient

needs_kazoo = unittest.skipUnless(
    harness.optional('kazoo'), 'the Python package kazoo is not installed')
needs_apache = unittest.skipUnless(
    harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
if harness.optional('kazoo'):
    import roundtrip

# Apache takes the interval of its reaper from the command line, and Aviary from the file.
REAPER = 'znode.container.checkIntervalMs'
REAPER_MILLISECONDS = 300
APACHE = harness.APACHE.replace('java ', f'java -D{REAPER}={REAPER_MILLISECONDS} ')
SETTINGS = (harness.SUPER_DIGEST, 'extendedTypesEnabled=true', 'minSessionTimeout=400',
            f'{REAPER}={REAPER_MILLISECONDS}')
# A large tree holds Aviary back from snapshots; the size of the log still asks for them.
SNAPSHOTS_OFTEN = ('snapCount=150', 'preAllocSize=64', 'snapSizeLimitInKb=200')
COMPRESSED = ('snapshot.compression.method=gz',)
WRITERS = 3
SECONDS_OF_WRITING = 0.2
SECONDS_FOR_A_ROUND = 30
MOST_LINES = 40


def rounds():
    return int(os.environ.get('AVIARY_ROUNDTRIPS') or 2)


def digest_warnings(server):
    """What the log says of digests, but for what it says at every start."""
    return [line for line in server.log_text().splitlines()
            if 'digest' in line.lower() and ' INFO ' not in line and '[INFO]' not in line]


class Journey:
    """A data directory on its way from server to server."""

    def __init__(self, case, settings=(), log_directory=False):
        self.case = case
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='aviary-roundtrip-'))
        case.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.logs = self.directory / ('logs' if log_directory else 'data') / 'version-2'
        own = (f'dataLogDir={self.directory / "logs"}',) if log_directory else ()
        self.settings = (*SETTINGS, *settings, *own)
        self.stage = 0
        self.tree = None
        self.passing = []
        self.kept = []
        self.writers = []
        self.counter = 0
        self.starts = 0
        self.names_at_start = set()
        self.names_at_end = set()

    def start(self, template):
        """The next server. Everything has to be as the one before left it."""
        template = template or (APACHE if harness.is_apache() else None)
        server = harness.Server(self.settings, template, self.directory)
        self.case.addCleanup(server.stop)
        server.start()
        self.starts += 1
        self.names_at_start = self.names()
        self.case.assertEqual([], digest_warnings(server))
        if self.tree is not None:
            self.compare(server)
        return server

    def names(self):
        return {path.name for folder in {self.logs, self.directory / 'data' / 'version-2'}
                for path in folder.glob('*.*')}

    def compare(self, server):
        client = roundtrip.super_client(server)
        roundtrip.wait_until_gone(client, self.passing)
        client.close_session()
        found = roundtrip.read(server)
        lines = roundtrip.history.differences(self.tree, roundtrip.lasting(found))
        for writer in self.writers:
            lines += writer.lost(found)
        self.case.assertEqual([], lines[:MOST_LINES], f'stage {self.stage}: {len(lines)} differences')

    def write(self, server):
        """Changes of every kind, of which the next server has to show all that was answered."""
        self.stage += 1
        if not self.writers:
            self.prepare(server)
        self.go_on_with_sessions(server)
        client = roundtrip.super_client(server)
        for _ in range(3):
            self.case.assertEqual(self.counter, roundtrip.next_in_sequence(client))
            self.counter += 1
        client.close_session()
        roundtrip.write(server, f'/stage-{self.stage}', self.kept[-1])
        self.case.assertIn('zk_digest_mismatches_count\t0\n', server.words('mntr'))

    def prepare(self, server):
        client = roundtrip.super_client(server)
        for path in (roundtrip.PASSING, roundtrip.LIVE, roundtrip.COUNTER):
            roundtrip.done(client.create(path))
        client.close_session()
        self.writers = [roundtrip.Writer(server, number) for number in range(WRITERS)]

    def go_on_with_sessions(self, server):
        """Closes a session of two servers ago, goes on with one of the last, and opens one."""
        kept = []
        for number, old in enumerate(reversed(self.kept)):
            with self.case.assertRaises(rawclient.Refused):
                server.client(session=(old.session[0], bytes(16)))
            client = server.client(timeout_milliseconds=roundtrip.KEPT_MILLISECONDS, session=old.session)
            self.case.assertEqual(old.session, client.session)
            if number == 0:
                path = f'/kept-{self.stage}'
                roundtrip.done(client.create(path, b'', rawclient.EPHEMERAL))
                self.case.assertEqual(client.session[0], self.owner(client, path))
                kept = [client]
            else:
                path = f'/stage-{self.stage - 2}/eph/open'
                self.case.assertEqual(client.session[0], self.owner(client, path))
                client.close_session()
                other = roundtrip.super_client(server)
                roundtrip.wait_until_gone(other, [path, f'/kept-{self.stage - 1}'])
                other.close_session()
        self.kept = [*kept, server.client(timeout_milliseconds=roundtrip.KEPT_MILLISECONDS)]

    @staticmethod
    def owner(client, path):
        body = roundtrip.done(client.call(rawclient.GET_DATA, rawclient.watch_record(path))).body
        body.buffer()
        return body.stat()['ephemeralOwner']

    def leave(self, server, writing=True):
        """Reads what the next server has to show, and kills this one while it is written to."""
        self.tree = roundtrip.lasting(roundtrip.read(server))
        for writer in self.writers if writing else ():
            if writer.thread:
                writer.attach(server)
            writer.start()
        self.passing = roundtrip.leave_passing(server, str(self.starts))
        time.sleep(SECONDS_OF_WRITING if writing else 0)
        self.names_at_end = self.names()
        server.kill()
        for writer in self.writers if writing else ():
            writer.finish()
            self.case.assertGreater(writer.acknowledged.count, 0)
        for client in self.kept:
            client.abandon()
        self.case.assertEqual([], digest_warnings(server))

    def new_files(self, kind):
        """How many snapshots or logs the last server began after its start."""
        return sum(name.startswith(kind) for name in self.names_at_end - self.names_at_start)


@needs_kazoo
@needs_apache
class RoundTrip(unittest.TestCase):
    def travel(self, journey, count, leave=lambda journey: None):
        for _ in range(count):
            for template in (APACHE, None):
                server = journey.start(template)
                journey.write(server)
                journey.leave(server)
                leave(journey)
        # Once more without a change: each shows exactly what the other did.
        for template in (APACHE, None):
            server = journey.start(template)
            journey.leave(server, writing=False)

    def test_both_go_on_where_the_other_was_killed(self):
        self.travel(Journey(self), rounds())

    def test_the_same_with_snapshots_and_new_logs_all_the_time(self):
        def leave(journey):
            self.assertGreater(journey.new_files('snapshot.'), 1)
            self.assertGreater(journey.new_files('log.'), 1)
        self.travel(Journey(self, SNAPSHOTS_OFTEN), (rounds() + 1) // 2, leave)

    def test_the_same_with_the_logs_in_a_directory_of_their_own(self):
        journey = Journey(self, SNAPSHOTS_OFTEN, log_directory=True)
        self.travel(journey, (rounds() + 1) // 2)
        self.assertFalse(list((journey.directory / 'data' / 'version-2').glob('log.*')))
        self.assertFalse(list(journey.logs.glob('snapshot.*')))

    def test_the_same_with_compressed_snapshots(self):
        journey = Journey(self, (*SNAPSHOTS_OFTEN, *COMPRESSED))
        server = journey.start(APACHE)
        journey.write(server)
        journey.leave(server)
        self.assertTrue(list(journey.logs.glob('snapshot.*.gz')), 'Apache did not compress')
        server = journey.start(None)
        journey.write(server)
        journey.leave(server)
        self.travel(journey, (rounds() + 1) // 2 - 1)


@needs_apache
@unittest.skipIf(harness.is_apache(), 'this is about a log that Aviary wrote')
class Digest(unittest.TestCase):
    """That the other tests would see it if a digest did not match."""

    def test_apache_warns_of_a_changed_value_in_a_log(self):
        first = harness.Server(SETTINGS)
        self.addCleanup(first.stop)
        client = first.start().client()
        client.create('/changed', b'as it was written')
        client.create('/after', b'')
        first.kill()
        log, = (first.data / 'version-2').glob('log.*')
        log.write_bytes(with_changed_value(log.read_bytes(), b'as it was written', b'As it was written'))
        apache = harness.Server(SETTINGS, APACHE, first.directory)
        self.addCleanup(apache.stop)
        apache.start()
        self.assertTrue(digest_warnings(apache))
        self.assertNotIn('zk_digest_mismatches_count\t0\n', apache.words('mntr'))


def with_changed_value(log, old, new):
    """The log with other bytes in one entry, and the checksum that belongs to them."""
    at = 16
    while at < len(log):
        checksum, size = struct.unpack_from('>qi', log, at)
        body = log[at + 12:at + 12 + size]
        if old in body:
            body = body.replace(old, new)
            return b''.join((log[:at], struct.pack('>qi', zlib.adler32(body), size), body, log[at + 12 + size:]))
        at += 12 + size + 1
    raise AssertionError('there is no such value in the log')


def take_rounds_option():
    """Moves `--rounds N` from the command line to the environment."""
    if '--rounds' in sys.argv:
        at = sys.argv.index('--rounds')
        os.environ['AVIARY_ROUNDTRIPS'] = sys.argv[at + 1]
        del sys.argv[at:at + 2]


if __name__ == '__main__':
    take_rounds_option()
    harness.LONGEST_TEST_SECONDS += SECONDS_FOR_A_ROUND * rounds()
    harness.main()
