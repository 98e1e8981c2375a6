"""Members that serve less than all: cut off, read-only, behind the client, with sessions of their own.

By default all of it. `--server apache` shows what Apache ZooKeeper does in the same places.
"""
import unittest

import ensembles
import harness
import rawclient
from ensembles import AVIARY, needs_kazoo
from rawclient import CREATE, EPHEMERAL, GET_DATA, SET_DATA

if harness.optional('kazoo'):
    from roundtrip import done

NOT_READ_ONLY = -119
READ_ONLY = b'\1'
# Without it a member that lost its leader notices only after ten seconds.
SOON = ('syncLimit=4',)


def read(client, path):
    """The number in a node, and the zxid of the reply."""
    reply = done(client.call(GET_DATA, rawclient.watch_record(path)))
    return int(reply.body.buffer()), reply.zxid


@needs_kazoo
class Modes(unittest.TestCase):

    def ensemble(self, size=3, observers=(), settings=()):
        ensemble = ensembles.Ensemble([AVIARY] * size, observers, settings)
        self.addCleanup(ensemble.stop)
        return ensemble.start()

    def assert_agreed(self, ensemble):
        self.assertEqual([], ensemble.disagreements()[:20])

    def wait_until_cut_off(self, member):
        harness.wait_until(lambda: member.try_words('srvr') == ensembles.NOT_SERVING + '\n',
                           ensembles.LONGEST_WAIT_SECONDS, f'that member {member.identity} serves nobody')

    def test_a_follower_that_is_cut_off_serves_nobody(self):
        ensemble = self.ensemble(settings=SOON)
        follower, *others = ensemble.members
        self.assertEqual('follower', follower.mode())
        client = follower.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
        done(client.create('/before', b'', EPHEMERAL))
        for other in others:
            other.pause()
        client.send(CREATE, rawclient.create_record('/while-cut-off', b''))
        client.socket.settimeout(ensembles.LONGEST_WAIT_SECONDS)
        with self.assertRaises(ConnectionError):
            self.fail(f'it is answered with {client.receive().error}')
        self.wait_until_cut_off(follower)
        self.assertEqual('null', follower.words('isro'))
        with self.assertRaises(ConnectionError):
            follower.client()
        for other in others:
            other.go_on()
        self.assert_agreed(ensemble)
        again = follower.client(session=client.session)
        self.assertEqual(client.session, again.session)
        done(again.call(GET_DATA, rawclient.watch_record('/before')))

    @unittest.skipIf(harness.is_apache(), 'Apache takes readonlymode.enabled from the command line')
    def test_a_member_without_a_leader_serves_those_that_only_read(self):
        ensemble = self.ensemble(settings=('readonlymode.enabled=true',))
        member, *others = ensemble.members
        kept = member.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
        done(kept.create('/before', b'1', EPHEMERAL))
        ensemble.wait_until_in_step()
        for other in others:
            other.kill()
        harness.wait_until(lambda: member.try_words('isro') == 'ro', ensembles.LONGEST_WAIT_SECONDS,
                           'that it is read-only')
        self.assertIn('Mode: read-only\n', member.words('srvr'))
        reader = member.client(read_only=READ_ONLY)
        self.assertEqual(1, read(reader, '/before')[0])
        done(reader.create('/refused'), NOT_READ_ONLY)
        done(reader.call(SET_DATA, rawclient.set_record('/before', b'2')), NOT_READ_ONLY)
        with self.assertRaises(ConnectionError):
            member.client()
        for other in others:
            other.spawn()
        self.assert_agreed(ensemble)
        self.assertEqual('rw', member.words('isro'))
        with self.assertRaises(ConnectionError):
            self.fail(f'what was read-only goes on: {reader.create("/goes-on").error}')
        again = member.client(session=kept.session)
        self.assertEqual(1, read(again, '/before')[0])
        done(again.call(SET_DATA, rawclient.set_record('/before', b'3')))

    def test_a_client_never_sees_its_zxid_go_back(self):
        """It moves to a member that has just been behind, and says what it has seen."""
        ensemble = self.ensemble(4, observers=(4,), settings=('syncLimit=60',))
        leader = ensemble.leader()
        client = leader.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
        done(client.create('/counter', b'0'))
        ensemble.wait_until_in_step()
        session, refused = client.session, 0
        for value in range(1, 31):
            late = (ensemble.followers()[0], ensemble[4])[value % 2]
            late.pause()
            zxid = done(client.call(SET_DATA, rawclient.set_record('/counter', b'%d' % value))).zxid
            client.abandon()
            late.go_on()
            # The member closes it while it is behind, and must show the last value when it does not.
            client, times = self.attach(late, session, zxid)
            refused += times
            found, at = read(client, '/counter')
            self.assertEqual(value, found)
            self.assertGreaterEqual(at, zxid)
            client.abandon()
            client, _ = self.attach(leader, session, at)
        self.assertGreater(refused, 0, 'no member was ever behind, and nothing was tested')

    @staticmethod
    def attach(member, session, zxid):
        """The client, and how often the connection was closed because the member was behind."""
        times = 0

        def attached():
            nonlocal times
            try:
                return member.client(session=session, last_zxid=zxid,
                                     timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
            except OSError:
                times += 1
                return None
        found = harness.wait_until(attached, ensembles.LONGEST_WAIT_SECONDS, 'that it takes the session')
        return found, times

    def test_a_local_session_is_of_its_member_alone(self):
        ensemble = self.ensemble(4, observers=(4,), settings=('localSessionsEnabled=true',))
        done(ensemble.leader().client().create('/counter', b'0'))
        ensemble.wait_until_in_step()
        before = ensemble.leader().zxid()
        clients = [member.client() for member in ensemble.members]
        self.assertEqual([0] * 4, [read(client, '/counter')[0] for client in clients])
        self.assertEqual(before, ensemble.leader().zxid(), 'sessions were written')
        for n, (member, client) in enumerate(zip(ensemble.members, clients), 1):
            with self.subTest(mode=member.mode()):
                done(client.call(SET_DATA, rawclient.set_record('/counter', b'%d' % n)))
                refused = client.create('/ephemeral', b'', EPHEMERAL).error
                self.assertNotEqual(rawclient.OK, refused)
                other = ensemble.members[n % 4]
                with self.assertRaises(rawclient.Refused):
                    other.client(session=client.session)
        for client in clients:
            client.abandon()
        self.assert_agreed(ensemble)

    def test_a_local_session_that_makes_an_ephemeral_is_known_to_all(self):
        ensemble = self.ensemble(4, observers=(4,), settings=(
            'localSessionsEnabled=true', 'localSessionsUpgradingEnabled=true'))
        for n, member in enumerate(ensemble.members, 1):
            with self.subTest(mode=member.mode()):
                client = member.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
                path = f'/ephemeral-{n}'
                zxid = done(client.create(path, b'1', EPHEMERAL)).zxid
                session = client.session
                client.abandon()
                # With the zxid, as a member that is behind may know the session and not the node yet.
                again, _ = self.attach(ensemble.members[n % 4], session, zxid)
                self.assertEqual(session, again.session)
                self.assertEqual(1, read(again, path)[0])
                again.close_session()
        self.assert_agreed(ensemble)
        client = ensemble[4].client()
        for n in range(1, 5):
            done(client.call(GET_DATA, rawclient.watch_record(f'/ephemeral-{n}')), rawclient.NO_NODE)


if __name__ == '__main__':
    harness.main()
