"""Ensembles without accidents: what clients at several members see of each other.

By default three members of the server under test; with AVIARY_ENSEMBLES=full also five with an
observer. `--server apache` shows what Apache ZooKeeper does in the same places.
"""
import struct
import threading
import time
import unittest

import ensembles
import harness
import rawclient
from ensembles import AVIARY, needs_kazoo, only_in_full
from rawclient import CHECK, CREATE, DELETE, EPHEMERAL, GET_CHILDREN2, GET_DATA, MULTI, SEQUENCE, SET_DATA

if harness.optional('kazoo'):
    import roundtrip
    from roundtrip import done

EXISTS, SYNC, ADD_WATCH = 3, 9, 106
PERSISTENT_RECURSIVE = 1
CREATED, DELETED, CHANGED, CHILDREN = 1, 2, 3, 4
NO_AUTH, NOT_EMPTY = -102, -111
SHORT_MILLISECONDS = 1500
DAMAGED = bytes(16)


def get(client, path):
    """The data of a node, after a sync."""
    done(client.call(SYNC, rawclient.text(path)))
    return done(client.call(GET_DATA, rawclient.watch_record(path))).body.buffer()


def children(client, path):
    done(client.call(SYNC, rawclient.text(path)))
    body = done(client.call(GET_CHILDREN2, rawclient.watch_record(path))).body
    return sorted(body.text() for _ in range(body.unpack('>i')))


def end(client):
    """Closes the session if the connection is still there."""
    try:
        client.send(rawclient.CLOSE_SESSION)
    except OSError:
        pass
    client.socket.close()


class EnsembleCase(unittest.TestCase):
    """Tests that share one ensemble, each below a path of its own. Afterwards all members agree."""

    kinds = ()
    observers = ()

    @classmethod
    def setUpClass(cls):
        cls.ensemble = ensembles.Ensemble(cls.kinds, cls.observers)
        cls.addClassCleanup(cls.ensemble.stop)
        cls.ensemble.start()

    def setUp(self):
        self.members = self.ensemble.members
        self.path = '/' + self.id().rpartition('.')[2]
        self.client = self.connect(self.members[0])
        done(self.client.create(self.path))

    def tearDown(self):
        self.assertEqual([], self.ensemble.disagreements()[:20])

    def connect(self, member, **options):
        client = member.client(**options)
        self.addCleanup(end, client)
        return client

    def connect_all(self):
        return [self.connect(member) for member in self.members]


class Together:

    def test_what_is_written_at_one_is_read_at_all(self):
        clients = self.connect_all()
        for writer, client in enumerate(clients):
            path = f'{self.path}/{writer}'
            done(client.create(path, b'created'))
            self.assertEqual([b'created'] * len(clients), [get(reader, path) for reader in clients])
            done(client.call(SET_DATA, rawclient.set_record(path, b'changed', 0)))
            self.assertEqual([b'changed'] * len(clients), [get(reader, path) for reader in clients])
            done(client.call(DELETE, rawclient.version_record(path, 1)))
            self.assertEqual([[]] * len(clients), [children(reader, self.path) for reader in clients])

    def test_failures_are_told_with_the_same_codes_at_all(self):
        done(self.client.create(self.path + '/child'))
        for client in self.connect_all():
            done(client.create(self.path), rawclient.NODE_EXISTS)
            done(client.create(self.path + '/no/child'), rawclient.NO_NODE)
            done(client.call(SET_DATA, rawclient.set_record(self.path, b'', 7)), rawclient.BAD_VERSION)
            done(client.call(DELETE, rawclient.version_record(self.path)), NOT_EMPTY)

    def test_a_large_value_passes_every_member(self):
        large = bytes(range(256)) * 4000
        clients = self.connect_all()
        for n, client in enumerate(clients):
            done(client.create(f'{self.path}/{n}', large))
        for client in clients:
            self.assertTrue(all(get(client, f'{self.path}/{n}') == large for n in range(len(clients))))

    def test_a_watch_at_each_member_fires_for_a_write_at_each(self):
        clients = self.connect_all()
        for n, writer in enumerate(clients):
            path = f'{self.path}/{n}'
            for client in clients:
                done(client.call(EXISTS, rawclient.watch_record(path, True)), rawclient.NO_NODE)
            done(writer.create(path))
            for client in clients:
                if client is not writer:
                    self.assertEqual((CREATED, path), client.notification())
                done(client.call(SYNC, rawclient.text(path)))

    def test_a_reply_comes_after_the_watch_events_that_its_zxid_implies(self):
        """At every member a client hears of a change before it can read it."""
        clients = self.connect_all()
        flag = self.path + '/flag'
        done(self.client.create(flag, b'0'))
        for client in clients:
            get(client, flag)
        for turn in range(1, 20):
            for client in clients:
                done(client.call(GET_DATA, rawclient.watch_record(flag, True)))
            done(self.client.call(SET_DATA, rawclient.set_record(flag, b'%d' % turn)))
            for client in clients:
                client.send(SYNC, rawclient.text(flag))
                self.assertEqual((CHANGED, flag), client.notification())
                done(client.receive())
                self.assertEqual(b'%d' % turn, done(client.call(
                    GET_DATA, rawclient.watch_record(flag))).body.buffer())

    def ends_once_everywhere(self, end):
        """`end` ends the session of a client that made an ephemeral; every member tells so once."""
        for number, member in enumerate(self.members):
            root = f'{self.path}/{number}'
            done(self.client.create(root))
            watchers = self.connect_all()
            for watcher in watchers:
                done(watcher.call(SYNC, rawclient.text(root)))
                done(watcher.call(ADD_WATCH, rawclient.text(root) + struct.pack('>i', PERSISTENT_RECURSIVE)))
            owner = self.connect(member, timeout_milliseconds=SHORT_MILLISECONDS)
            done(owner.create(root + '/ephemeral', b'', EPHEMERAL))
            # Or it could be gone where it has not come yet.
            done(self.client.call(SYNC, rawclient.text(root)))
            end(owner)
            roundtrip.wait_until_gone(self.client, [root + '/ephemeral'])
            done(self.client.create(root + '/after'))
            for watcher in watchers:
                events = [watcher.notification() for _ in range(3)]
                self.assertEqual([(CREATED, root + '/ephemeral'), (DELETED, root + '/ephemeral'),
                                  (CREATED, root + '/after')], events)
                self.assertEqual(['after'], children(watcher, root))
                watcher.close_session()
            for other in self.members:
                with self.assertRaises(rawclient.Refused):
                    other.client(session=owner.session)

    def test_ephemerals_of_a_closed_session_end_once_everywhere(self):
        self.ends_once_everywhere(lambda owner: owner.close_session())

    def test_ephemerals_of_an_expired_session_end_once_everywhere(self):
        self.ends_once_everywhere(lambda owner: owner.abandon())

    def test_a_session_moves_with_its_ephemerals(self):
        client = self.connect(self.members[0])
        session = client.session
        done(client.create(self.path + '/ephemeral', b'', EPHEMERAL))
        for member in (*self.members[1:], *self.members):
            client.abandon()
            client = self.connect(member, session=session)
            self.assertEqual(session, client.session)
            done(client.call(SET_DATA, rawclient.set_record(self.path + '/ephemeral', b'%d' % member.identity)))
            self.assertEqual(b'%d' % member.identity, get(self.client, self.path + '/ephemeral'))
        client.close_session()
        roundtrip.wait_until_gone(self.client, [self.path + '/ephemeral'])

    def test_the_old_connection_of_a_session_that_moved_is_closed_when_it_writes(self):
        for member, other in zip(self.members, (*self.members[1:], self.members[0])):
            old = self.connect(member)
            # Members know a request by its session and xid, and clients count on when they move.
            old.xid = 1000
            new = self.connect(other, session=old.session)
            done(new.create(f'{self.path}/new-{member.identity}'))
            with self.assertRaises(ConnectionError):
                # Apache closes the connection, and sends no reply with -118.
                self.fail(f'it is answered with {old.create(f"{self.path}/old-{member.identity}").error}')
            done(new.create(f'{self.path}/again-{member.identity}'))
            self.assertNotIn(f'old-{member.identity}', children(new, self.path))

    def test_a_wrong_password_is_refused_at_every_member(self):
        identity, password = self.client.session
        for member in self.members:
            for wrong in (DAMAGED, bytes([password[0] ^ 1]) + password[1:]):
                with self.assertRaises(rawclient.Refused):
                    member.client(session=(identity, wrong))
        # Whoever knows the id of a session can end its connection to Apache.
        if not harness.is_apache():
            done(self.client.call(SYNC, rawclient.text('/')))

    def test_a_second_connection_of_a_session_to_one_member_ends_the_first(self):
        for member in self.members:
            first = self.connect(member)
            second = self.connect(member, session=first.session)
            with self.assertRaises(ConnectionError):
                first.frame()
            done(second.call(SYNC, rawclient.text('/')))

    def test_a_client_that_has_seen_more_is_sent_elsewhere(self):
        for member in self.members:
            with self.assertRaises(ConnectionError):
                member.client(last_zxid=(self.ensemble.leader().zxid() + 10000))

    def test_reads_alone_keep_a_session_alive(self):
        clients = [self.connect(member, timeout_milliseconds=SHORT_MILLISECONDS) for member in self.members]
        for n, client in enumerate(clients):
            done(client.create(f'{self.path}/{n}', b'', EPHEMERAL))
        end = time.monotonic() + 3 * SHORT_MILLISECONDS / 1000
        while time.monotonic() < end:
            for client in clients:
                done(client.call(GET_DATA, rawclient.watch_record(self.path)))
            time.sleep(0.05)
        for n, client in enumerate(clients):
            self.assertEqual(len(clients), len(children(client, self.path)))

    def test_a_handshake_without_the_last_byte_is_taken_at_every_member(self):
        for member in self.members:
            client = self.connect(member, read_only=b'')
            done(client.create(f'{self.path}/{member.identity}', b'', EPHEMERAL))
            again = self.connect(member, read_only=b'', session=client.session)
            self.assertEqual(client.session, again.session)
            done(again.call(GET_DATA, rawclient.watch_record(self.path)))

    def test_requests_sent_with_the_handshake_are_answered_in_order(self):
        for member in self.members:
            path = f'{self.path}/{member.identity}'
            records = ((CREATE, rawclient.create_record(path, b'early', EPHEMERAL)),
                       (GET_DATA, rawclient.watch_record(path)),
                       (SET_DATA, rawclient.set_record(path, b'late', 0)),
                       (GET_DATA, rawclient.watch_record(path)))
            early = b''.join(struct.pack('>iii', len(record) + 8, xid, code) + record
                             for xid, (code, record) in enumerate(records, 1))
            client = self.connect(member, early=early)
            replies = [done(client.receive()) for _ in records]
            self.assertEqual([1, 2, 3, 4], [reply.xid for reply in replies])
            self.assertEqual([b'early', b'late'], [replies[1].body.buffer(), replies[3].body.buffer()])

    def test_reads_follow_the_writes_that_were_sent_before_them(self):
        clients = self.connect_all()
        for n, client in enumerate(clients):
            done(client.create(f'{self.path}/{n}', b''))
        for turn in range(20):
            for n, client in enumerate(clients):
                path = f'{self.path}/{n}'
                requests = b''
                for value in range(10):
                    requests += client.encode(SET_DATA, rawclient.set_record(path, b'%d %d' % (turn, value)))
                    requests += client.encode(GET_DATA, rawclient.watch_record(path))
                client.socket.sendall(requests)
            for client in clients:
                last = 0
                for value in range(10):
                    written, found = done(client.receive()), done(client.receive())
                    self.assertEqual(b'%d %d' % (turn, value), found.body.buffer())
                    self.assertGreater(written.zxid, last)
                    self.assertGreaterEqual(found.zxid, written.zxid)
                    last = written.zxid

    def test_multi_at_every_member(self):
        for n, client in enumerate(self.connect_all()):
            path = f'{self.path}/{n}'
            good = ((CREATE, rawclient.create_record(path, b'1')),
                    (CREATE, rawclient.create_record(path + '/q-', b'', EPHEMERAL | SEQUENCE)),
                    (SET_DATA, rawclient.set_record(path, b'2', 0)), (CHECK, rawclient.version_record(path, 1)))
            done(client.call(MULTI, rawclient.multi_record(good)))
            bad = ((SET_DATA, rawclient.set_record(path, b'3')), (DELETE, rawclient.version_record(path, 9)))
            errors = client.call(MULTI, rawclient.multi_record(bad)).body.multi_errors()
            self.assertEqual([0, rawclient.BAD_VERSION], errors)
            self.assertEqual(b'2', get(client, path))
            self.assertEqual(['q-0000000000'], children(client, path))

    def test_sequential_names_given_at_all_members_at_once_are_unique(self):
        names, count = [], 100

        def create(client):
            for _ in range(count):
                client.send(CREATE, rawclient.create_record(self.path + '/n-', b'', SEQUENCE))
            names.extend(done(client.receive()).body.text() for _ in range(count))
        threads = [threading.Thread(target=create, args=(client,)) for client in self.connect_all()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        wanted = [f'{self.path}/n-{n:010}' for n in range(count * len(threads))]
        self.assertEqual(wanted, sorted(names))

    def test_permissions_hold_whatever_member_is_asked(self):
        for n, client in enumerate(self.connect_all()):
            done(client.authenticate('digest', f'user-{n}:secret'))
            done(client.create(f'{self.path}/{n}', b'', acl=[(31, 'auth', '')]))
            done(client.create(f'{self.path}/ip-{n}', b'', acl=[(31, 'ip', '127.0.0.1')]))
            done(client.create(f'{self.path}/elsewhere-{n}', b'', acl=[(31, 'ip', '10.9.9.9')]))
            for member in self.members:
                stranger = self.connect(member)
                done(stranger.call(SET_DATA, rawclient.set_record(f'{self.path}/{n}', b'')), NO_AUTH)
                done(stranger.call(SET_DATA, rawclient.set_record(f'{self.path}/elsewhere-{n}', b'')), NO_AUTH)
                done(stranger.call(SET_DATA, rawclient.set_record(f'{self.path}/ip-{n}', b'')))
                done(stranger.authenticate('digest', f'user-{n}:secret'))
                done(stranger.call(SET_DATA, rawclient.set_record(f'{self.path}/{n}', b'')))
                stranger.close_session()

    def test_what_ends_by_itself_ends_everywhere(self):
        clients = self.connect_all()
        paths = [path for n, client in enumerate(clients) for path in roundtrip.ending(client, f'{self.path}/{n}')]
        for client in clients:
            done(client.call(SYNC, rawclient.text(self.path)))
            roundtrip.wait_until_gone(client, paths)

    def test_the_words_tell_who_leads(self):
        modes = [member.mode() for member in self.members]
        self.assertEqual(1, modes.count('leader'))
        self.assertEqual(len(self.observers), modes.count('observer'))
        for member, mode in zip(self.members, modes):
            self.assertIn(f'Mode: {mode}\n', member.words('stat'))
            self.assertIn(f'zk_server_state\t{mode}\n', member.words('mntr'))
            self.assertEqual('imok', member.words('ruok'))
            self.assertEqual('rw', member.words('isro'))
            self.assertIn(f'serverId={member.identity}\n', member.words('conf'))

    def test_the_leader_tells_how_many_follow(self):
        leader = self.ensemble.leader()
        voters, observers = len(self.members) - len(self.observers), len(self.observers)
        harness.wait_until(lambda: leader.monitored('synced_followers') == voters - 1, what='that all are synced')
        self.assertEqual(observers, leader.monitored('synced_observers'))
        self.assertEqual(0, leader.monitored('synced_non_voting_followers'))
        self.assertEqual(len(self.members) - 1, leader.monitored('learners'))
        self.assertGreaterEqual(leader.monitored('leader_uptime'), 0)
        self.assertRegex(leader.words('srvr'), r'Node count: \d+\nProposal sizes last/min/max: \S+\n$')

    def test_every_member_tells_its_part_in_the_ensemble(self):
        parts = {'leader': 'leading', 'follower': 'following', 'observer': 'observing'}
        for member in self.members:
            self.assertEqual(len(self.members) - len(self.observers), member.monitored('quorum_size'))
            self.assertIn(f'zk_peer_state\t{parts[member.mode()]} - broadcast\n', member.words('mntr'))

    def test_every_member_has_the_configuration_in_its_tree(self):
        lines = [line for line in self.members[0].configuration.read_text().splitlines()
                 if line.startswith('server.')]
        for client in self.connect_all():
            found = get(client, '/zookeeper/config').decode().splitlines()
            self.assertEqual([*lines, 'version=0'], found)


@needs_kazoo
class Three(Together, EnsembleCase):
    kinds = [AVIARY] * 3


@needs_kazoo
@only_in_full
class FiveAndAnObserver(Together, EnsembleCase):
    kinds = [AVIARY] * 6
    observers = (6,)


if __name__ == '__main__':
    harness.main()
