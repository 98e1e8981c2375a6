"""Drives a live server with kazoo, the Python client."""
import logging
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
import rawclient
from harness import wait_until

kazoo = harness.optional('kazoo')
if kazoo:
    from kazoo import exceptions
    from kazoo.client import KazooClient
    from kazoo.protocol.states import EventType, KazooState
    from kazoo.security import ACL, Id, Permissions, make_acl, make_digest_acl

needs_kazoo = unittest.skipUnless(kazoo, 'the Python package kazoo is not installed')
# Lost connections belong to the tests; kazoo would print each.
logging.getLogger('kazoo').addHandler(logging.NullHandler())
QUICK_RETRY = {'max_tries': -1, 'delay': 0.005, 'max_delay': 0.1}


def connect(case, server, **options):
    """A connected client that ends with the test."""
    client = KazooClient(server.hosts, **{'timeout': 10.0, 'command_retry': QUICK_RETRY, **options})
    client.start(15)
    case.addCleanup(client.close)
    case.addCleanup(client.stop)
    return client


def note(events):
    """A watch function that keeps what it is told in a list."""
    return lambda event: events.append((event.type, event.path))


@needs_kazoo
class Operations(harness.ServerCase):
    settings = (harness.SUPER_DIGEST,)

    def setUp(self):
        super().setUp()
        self.client = connect(self, self.server)
        self.client.create(self.path)

    def test_a_created_node_is_read_back_with_its_stat(self):
        before = time.time()
        path, stat = self.client.create(self.path + '/a', b'one', include_data=True)
        self.assertEqual(path, self.path + '/a')
        data, read = self.client.get(path)
        self.assertEqual((data, read), (b'one', stat))
        self.assertEqual((stat.version, stat.cversion, stat.aversion, stat.numChildren), (0, 0, 0, 0))
        self.assertEqual((stat.dataLength, stat.ephemeralOwner), (3, 0))
        self.assertEqual((stat.mzxid, stat.pzxid, stat.mtime), (stat.czxid, stat.czxid, stat.ctime))
        self.assertLess(abs(stat.ctime / 1000 - before), 60)
        parent = self.client.exists(self.path)
        self.assertEqual((parent.cversion, parent.numChildren, parent.pzxid), (1, 1, stat.czxid))

    def test_set_raises_the_version_and_checks_it(self):
        first = self.client.exists(self.path)
        stat = self.client.set(self.path, b'x' * 1000, version=0)
        self.assertEqual((stat.version, stat.dataLength, stat.czxid), (1, 1000, first.czxid))
        self.assertGreater(stat.mzxid, stat.czxid)
        with self.assertRaises(exceptions.BadVersionError):
            self.client.set(self.path, b'y', version=0)
        self.assertEqual(self.client.get(self.path), (b'x' * 1000, stat))
        self.assertEqual(self.client.set(self.path, b'y').version, 2)

    def test_null_and_empty_data_stay_apart(self):
        for value in (None, b'', b'full', None):
            self.client.set(self.path, value)
            data, stat = self.client.get(self.path)
            self.assertEqual((data, stat.dataLength), (value, len(value or b'')))

    def test_impossible_operations_are_refused(self):
        self.client.create(self.path + '/a')
        with self.assertRaises(exceptions.NodeExistsError):
            self.client.create(self.path + '/a')
        with self.assertRaises(exceptions.NoNodeError):
            self.client.create(self.path + '/no/child')
        with self.assertRaises(exceptions.NotEmptyError):
            self.client.delete(self.path)
        with self.assertRaises(exceptions.BadVersionError):
            self.client.delete(self.path + '/a', version=3)
        self.client.delete(self.path + '/a', version=0)
        for operation in (self.client.get, self.client.get_children, self.client.delete,
                          self.client.get_acls):
            with self.assertRaises(exceptions.NoNodeError):
                operation(self.path + '/a')
        self.assertIsNone(self.client.exists(self.path + '/a'))
        self.assertEqual(self.client.get_children(self.path), [])

    def test_children_are_listed_with_the_stat(self):
        names = {'a', 'ä', '日本', 'with space', 'x' * 200}
        for name in names:
            self.client.create(f'{self.path}/{name}', name.encode())
        children, stat = self.client.get_children(self.path, include_data=True)
        self.assertEqual((len(children), set(children)), (5, names))
        self.assertEqual((stat.numChildren, stat.cversion), (5, 5))
        self.client.delete(self.path, recursive=True)
        self.assertIsNone(self.client.exists(self.path))

    def test_sequence_numbers_count_every_child_ever_created(self):
        made = [self.client.create(self.path + '/q-', sequence=True) for _ in range(3)]
        self.assertEqual(made, [f'{self.path}/q-{n:010}' for n in range(3)])
        for path in made:
            self.client.delete(path)
        self.client.create(self.path + '/plain')
        self.assertEqual(self.client.create(self.path + '/', sequence=True), self.path + '/0000000004')
        self.assertEqual(self.client.create(self.path + '/e', ephemeral=True, sequence=True),
                         self.path + '/e0000000005')

    def test_a_thousand_pipelined_creates_are_answered_in_order(self):
        pending = [self.client.create_async(f'{self.path}/{n}', b'%d' % n) for n in range(1000)]
        self.assertEqual([one.get(30) for one in pending], [f'{self.path}/{n}' for n in range(1000)])
        reads = [self.client.get_async(f'{self.path}/{n}') for n in range(1000)]
        stats = [one.get(30)[1] for one in reads]
        self.assertEqual([stat.czxid for stat in stats], sorted({stat.czxid for stat in stats}))

    def test_large_data_is_stored(self):
        data = bytes(range(256)) * 4000
        self.client.set(self.path, data)
        self.assertEqual(self.client.get(self.path)[0], data)

    def test_sync_and_four_letter_words_answer(self):
        self.assertEqual(self.client.sync(self.path), self.path)
        self.assertEqual(self.client.command(b'ruok'), 'imok')
        self.assertIn('Mode: standalone', self.client.command(b'srvr'))
        self.assertGreaterEqual(self.client.server_version(), (3, 8, 0))

    def test_a_failed_transaction_changes_nothing(self):
        before = self.client.exists(self.path)
        transaction = self.client.transaction()
        transaction.create(self.path + '/a', b'1')
        transaction.set_data(self.path, b'changed')
        transaction.check(self.path + '/a', 7)
        transaction.delete(self.path + '/a')
        kinds = [type(result) for result in transaction.commit()]
        self.assertEqual(kinds, [exceptions.RolledBackError, exceptions.RolledBackError,
                                 exceptions.BadVersionError, exceptions.RuntimeInconsistency])
        self.assertEqual(self.client.exists(self.path), before)
        self.assertIsNone(self.client.exists(self.path + '/a'))

    def test_a_transaction_sees_its_own_changes(self):
        transaction = self.client.transaction()
        transaction.create(self.path + '/a', b'1')
        transaction.create(self.path + '/a/q-', b'', sequence=True)
        transaction.create(self.path + '/a/q-', b'', ephemeral=True, sequence=True)
        transaction.set_data(self.path + '/a', b'2', version=0)
        transaction.check(self.path + '/a', 1)
        transaction.delete(self.path + '/a/q-0000000000')
        results = transaction.commit()
        self.assertEqual(results[:3], [self.path + '/a', self.path + '/a/q-0000000000',
                                       self.path + '/a/q-0000000001'])
        self.assertEqual((results[3].version, results[4], results[5]), (1, True, True))
        data, stat = self.client.get(self.path + '/a')
        self.assertEqual((data, stat.version, stat.mzxid, stat.numChildren), (b'2', 1, stat.czxid, 1))


@needs_kazoo
class Permission(harness.ServerCase):
    settings = (harness.SUPER_DIGEST,)

    def setUp(self):
        super().setUp()
        self.owner = connect(self, self.server, auth_data=[('digest', 'alice:secret')])
        self.other = connect(self, self.server)

    def test_a_digest_acl_keeps_others_out(self):
        mine = make_digest_acl('alice', 'secret', all=True)
        self.owner.create(self.path, b'mine', acl=[mine])
        for attempt in (lambda: self.other.get(self.path),
                        lambda: self.other.get_children(self.path),
                        lambda: self.other.set(self.path, b''),
                        lambda: self.other.create(self.path + '/a'),
                        lambda: self.other.get_acls(self.path),
                        lambda: self.other.set_acls(self.path, [make_acl('world', 'anyone', all=True)])):
            with self.assertRaises(exceptions.NoAuthError):
                attempt()
        self.assertEqual(self.owner.get(self.path)[0], b'mine')
        self.assertEqual(self.owner.get_acls(self.path)[0], [mine])

    def test_add_auth_opens_what_the_acl_grants(self):
        self.owner.create(self.path, b'mine', acl=[make_digest_acl('bob', 'pw', read=True, create=True)])
        self.other.add_auth('digest', 'bob:wrong')
        with self.assertRaises(exceptions.NoAuthError):
            self.other.get(self.path)
        self.other.add_auth('digest', 'bob:pw')
        self.assertEqual(self.other.get(self.path)[0], b'mine')
        self.other.create(self.path + '/a')
        with self.assertRaises(exceptions.NoAuthError):
            self.other.delete(self.path + '/a')
        with self.assertRaises(exceptions.NoAuthError):
            self.other.set(self.path, b'')

    def test_the_auth_scheme_stands_for_who_creates(self):
        self.owner.create(self.path, acl=[ACL(Permissions.ALL, Id('auth', ''))])
        acl, stat = self.owner.get_acls(self.path)
        self.assertEqual((acl, stat.aversion), ([make_digest_acl('alice', 'secret', all=True)], 0))
        with self.assertRaises(exceptions.InvalidACLError):
            self.other.create(self.path + '-x', acl=[ACL(Permissions.ALL, Id('auth', ''))])

    def test_set_acls_checks_and_raises_its_own_version(self):
        self.owner.create(self.path)
        readable = [make_digest_acl('alice', 'secret', all=True), make_acl('world', 'anyone', read=True)]
        self.assertEqual(self.owner.set_acls(self.path, readable, version=0).aversion, 1)
        with self.assertRaises(exceptions.BadVersionError):
            self.owner.set_acls(self.path, readable, version=0)
        self.assertEqual(self.owner.get_acls(self.path)[0], readable)
        self.assertEqual(self.other.get(self.path)[0], b'')
        with self.assertRaises(exceptions.NoAuthError):
            self.other.set(self.path, b'x')
        self.assertEqual(self.owner.exists(self.path).version, 0)

    def test_the_super_user_may_do_everything(self):
        self.owner.create(self.path, b'mine', acl=[make_digest_acl('alice', 'secret', all=True)])
        self.other.add_auth('digest', harness.SUPER_USER)
        self.assertEqual(self.other.get(self.path)[0], b'mine')
        self.other.set(self.path, b'taken')
        self.other.delete(self.path)


@needs_kazoo
class Watches(harness.ServerCase):
    def setUp(self):
        super().setUp()
        self.client = connect(self, self.server)
        self.other = connect(self, self.server)
        self.events = []

    def assert_events(self, *expected):
        try:
            wait_until(lambda: len(self.events) >= len(expected), 10)
        except harness.TooLong:
            pass
        self.assertEqual(self.events, list(expected))

    def test_a_data_watch_fires_once(self):
        self.client.create(self.path)
        self.client.get(self.path, watch=note(self.events))
        self.other.set(self.path, b'1')
        self.assert_events((EventType.CHANGED, self.path))
        self.other.set(self.path, b'2')
        self.client.sync(self.path)
        self.assertEqual(self.client.get(self.path)[0], b'2')
        self.assert_events((EventType.CHANGED, self.path))

    def test_an_exists_watch_sees_the_creation_and_then_the_deletion(self):
        self.assertIsNone(self.client.exists(self.path, watch=note(self.events)))
        self.other.create(self.path)
        self.assert_events((EventType.CREATED, self.path))
        self.client.exists(self.path, watch=note(self.events))
        self.other.delete(self.path)
        self.assert_events((EventType.CREATED, self.path), (EventType.DELETED, self.path))

    def test_a_child_watch_sees_children_come_and_go_but_not_grandchildren(self):
        self.client.create(self.path)
        self.other.create(self.path + '/a')
        self.client.get_children(self.path, watch=note(self.events))
        self.other.create(self.path + '/a/b')
        self.other.set(self.path, b'data')
        self.other.create(self.path + '/c')
        self.assert_events((EventType.CHILD, self.path))
        self.client.get_children(self.path, watch=note(self.events))
        self.other.delete(self.path + '/c')
        self.assert_events(*[(EventType.CHILD, self.path)] * 2)

    def test_data_and_children_watch_recipes_follow_every_change(self):
        self.client.create(self.path)
        data, children = [], []
        self.client.DataWatch(self.path, lambda value, stat: data.append(value))
        self.client.ChildrenWatch(self.path, lambda names: children.append(sorted(names)))
        for n in range(5):
            self.other.set(self.path, b'%d' % n)
            wait_until(lambda: data[-1] == b'%d' % n, 10)
            self.other.create(f'{self.path}/{n}')
            wait_until(lambda: children[-1] == [str(k) for k in range(n + 1)], 10)
        self.assertEqual(data, [b'', b'0', b'1', b'2', b'3', b'4'])
        self.assertEqual(len(children), 6)

    def test_a_transaction_tells_all_its_watchers(self):
        self.client.ensure_path(self.path + '/a')
        self.client.get(self.path + '/a', watch=note(self.events))
        self.client.get_children(self.path, watch=note(self.events))
        transaction = self.other.transaction()
        transaction.delete(self.path + '/a')
        transaction.create(self.path + '/b')
        transaction.commit()
        self.assert_events((EventType.DELETED, self.path + '/a'), (EventType.CHILD, self.path))


@needs_kazoo
class Sessions(unittest.TestCase):
    def setUp(self):
        self.server = harness.Server().start()
        self.addCleanup(self.server.stop)

    def test_an_ephemeral_node_goes_with_its_session(self):
        watcher, client = connect(self, self.server), connect(self, self.server)
        events = []
        client.create('/e', ephemeral=True)
        self.assertEqual(watcher.exists('/e', watch=note(events)).ephemeralOwner, client.client_id[0])
        with self.assertRaises(exceptions.NoChildrenForEphemeralsError):
            client.create('/e/child')
        client.stop()
        wait_until(lambda: events == [(EventType.DELETED, '/e')], 10)
        self.assertIsNone(watcher.exists('/e'))

    def test_a_silent_session_expires_and_others_see_it(self):
        watcher = connect(self, self.server)
        silent = self.server.client(timeout_milliseconds=4000)
        silent.create('/e', flags=rawclient.EPHEMERAL)
        last_heard = time.monotonic()
        gone = []
        watcher.exists('/e', watch=lambda event: gone.append(time.monotonic()))
        wait_until(lambda: gone, 15, 'the end of the ephemeral node')
        self.assertIsNone(watcher.exists('/e'))
        # The server rounds up to its next tick.
        self.assertTrue(3.9 < gone[0] - last_heard < 8.5, gone[0] - last_heard)
        with self.assertRaises(rawclient.Refused):
            self.server.client(session=silent.session)

    def test_an_expired_session_is_lost_to_its_client(self):
        client = connect(self, self.server)
        states = []
        client.add_listener(states.append)
        client.create('/e', ephemeral=True)
        before = client.client_id
        self.server.client(session=before).close_session()
        wait_until(lambda: KazooState.LOST in states and states[-1] == KazooState.CONNECTED, 20)
        self.assertNotEqual(client.client_id[0], before[0])
        self.assertIsNone(client.exists('/e'))

    def test_a_session_lives_through_a_killed_server(self):
        client, other = connect(self, self.server, timeout=15.0), connect(self, self.server, timeout=15.0)
        states, data, children = [], [], []
        client.add_listener(states.append)
        client.create('/kept', b'0')
        client.create('/kept/e', ephemeral=True)
        client.DataWatch('/kept', lambda value, stat: data.append(value))
        client.ChildrenWatch('/kept', lambda names: children.append(sorted(names)))
        before, stat = client.client_id, client.exists('/kept')
        for round_number in (1, 2):
            self.server.restart()
            # Apache may accept a connection that it never answers while it starts; kazoo then
            # tries again after two thirds of the session's time.
            wait_until(lambda: states.count(KazooState.SUSPENDED) >= round_number
                       and states[-1] == KazooState.CONNECTED, 40, 'the reconnection')
            other.retry(other.set, '/kept', b'%d' % round_number)
            other.retry(other.create, f'/kept/{round_number}')
            wait_until(lambda: data[-1] == b'%d' % round_number, 10, 'the data watch')
            wait_until(lambda: str(round_number) in children[-1], 10, 'the children watch')
        self.assertEqual(client.client_id, before)
        self.assertEqual(client.exists('/kept/e').ephemeralOwner, before[0])
        after = client.exists('/kept')
        self.assertEqual((after.czxid, after.ctime, after.version), (stat.czxid, stat.ctime, 2))
        self.assertNotIn(KazooState.LOST, states)

    def test_a_session_that_was_silent_over_a_restart_still_expires(self):
        silent = self.server.client(timeout_milliseconds=4000)
        silent.create('/e', flags=rawclient.EPHEMERAL)
        self.server.restart()
        watcher = connect(self, self.server)
        self.assertIsNotNone(watcher.exists('/e'))
        wait_until(lambda: not watcher.exists('/e'), 15, 'the end of the ephemeral node')


class Worker:
    """A process that takes part in a recipe."""

    def __init__(self, case, role, number=0):
        script = pathlib.Path(__file__).with_name('recipe_worker.py')
        command = [sys.executable, str(script), role, case.server.hosts, case.path,
                   str(case.folder), str(number)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        case.addCleanup(self.end)
        self.expect('ready')

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())

    def line(self, seconds=40):
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise harness.TooLong(f'the worker said nothing for {seconds} s') from None

    def expect(self, word, seconds=40):
        words = self.line(seconds)
        if words[0] != word:
            raise AssertionError(f'the worker said {words} instead of {word}')
        return words

    def rest(self):
        """All lines up to the end of the work."""
        lines = []
        while (words := self.line()) != ['done']:
            lines.append(words)
        return lines

    def go_on(self):
        self.process.stdin.write('go\n')
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


@needs_kazoo
class Recipes(harness.ServerCase):
    """Each recipe is run by two processes of the operating system."""

    def setUp(self):
        super().setUp()
        self.client = connect(self, self.server)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='aviary-recipe-'))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def two(self, role, number=0):
        return [Worker(self, role, number) for _ in range(2)]

    def run_both(self, role, number=0):
        workers = self.two(role, number)
        for worker in workers:
            worker.go_on()
        return [worker.rest() for worker in workers]

    def watchers(self, path):
        """How many sessions watch the path, as the server tells."""
        after = self.server.words('wchp').partition(path + '\n')[2]
        return len(re.match(r'(\t0x\w+\n)*', after).group().splitlines())

    def test_a_lock_admits_one_process_at_a_time(self):
        self.assertEqual(self.run_both('lock', 60), [[], []])
        self.assertEqual((self.folder / 'count').read_text(), '120')

    def test_an_election_has_one_leader_and_a_killed_one_is_replaced(self):
        workers = self.two('election')
        contenders = self.client.Election(self.path).contenders
        wait_until(lambda: len(contenders()) == 2, 10)
        names = {f'process-{worker.process.pid}': worker for worker in workers}
        self.assertEqual(set(contenders()), set(names))
        leader = names.pop(contenders()[0])
        follower = names.popitem()[1]
        leader.expect('leads')
        killed = time.monotonic()
        leader.process.kill()
        self.assertTrue(follower.lines.empty(), 'two leaders')
        led = float(follower.expect('leads', 20)[1])
        self.assertGreater(led, killed)
        follower.go_on()
        self.assertEqual(follower.rest(), [])
        self.assertEqual((self.folder / 'count').read_text(), '2')

    def test_a_counter_loses_no_step(self):
        self.assertEqual(self.run_both('counter', 60), [[], []])
        self.assertEqual(self.client.Counter(self.path).value, 120)
        self.assertEqual(self.client.exists(self.path).version, 240)

    def test_a_barrier_holds_both_until_it_is_removed(self):
        gate = self.client.Barrier(self.path)
        gate.create()
        workers = self.two('barrier')
        for worker in workers:
            worker.expect('waits')
        # A wait begins with a watch, so both have begun when the server knows two watchers.
        wait_until(lambda: self.watchers(self.path) == 2, 10, 'both waits')
        self.assertTrue(all(worker.lines.empty() for worker in workers))
        removed = time.monotonic()
        self.assertTrue(gate.remove())
        for worker in workers:
            self.assertGreater(float(worker.expect('passed')[1]), removed)

    def test_a_double_barrier_lets_both_in_and_out_together(self):
        rounds = {}
        for worker in self.two('double_barrier', 15):
            for name, number, began, ended in worker.rest():
                rounds.setdefault((name, number), []).append((float(began), float(ended)))
        self.assertEqual(len(rounds), 30)
        for step, times in rounds.items():
            self.assertLess(max(began for began, _ in times), min(ended for _, ended in times), step)

    def test_a_party_knows_who_joined_left_and_died(self):
        workers = self.two('party')
        names = [worker.expect('joined')[1] for worker in workers]
        party = self.client.Party(self.path)
        self.assertEqual((len(party), set(party)), (2, set(names)))
        workers[0].go_on()
        workers[0].expect('left')
        self.assertEqual(list(party), names[1:])
        workers[1].process.kill()
        wait_until(lambda: len(party) == 0, 20, 'the end of the killed member')

    def test_every_item_of_a_queue_is_taken_once_and_in_order_of_priority(self):
        items = self.client.Queue(self.path)
        for n in range(100):
            items.put(b'%d' % n, priority=900 if n == 0 else 100)
        taken = [[int(item) for _, item in lines] for lines in self.run_both('queue')]
        self.assertEqual(sorted(taken[0] + taken[1]), list(range(100)))
        for mine in taken:
            self.assertEqual([n for n in mine if n], sorted(n for n in mine if n))
        self.assertIsNone(items.get())

    def test_every_item_of_a_locking_queue_is_consumed_once(self):
        items = self.client.LockingQueue(self.path)
        items.put_all([b'%d' % n for n in range(40)])
        self.assertEqual(len(items), 40)
        results = sum(self.run_both('locking_queue'), [])
        self.assertEqual({words[0] for words in results}, {'took'})
        self.assertEqual(sorted(int(item) for _, item in results), list(range(40)))
        self.assertEqual(self.client.get_children(self.path + '/taken'), [])


if __name__ == '__main__':
    harness.main()
