"""Ensembles whose members are killed, paused, emptied and cut off.

By default a part of it; all of it with AVIARY_ENSEMBLES=full. `--server apache` shows what Apache
ZooKeeper does in the same places.
"""
import unittest

import ensembles
import harness
import rawclient
from ensembles import AVIARY, needs_kazoo, only_in_full
from rawclient import CREATE, EPHEMERAL, GET_DATA, SEQUENCE

if harness.optional('kazoo'):
    import ensemble_clients
    import roundtrip
    from roundtrip import done

# More than the leader keeps in memory for those that come back.
MANY = 700
WITHOUT_LOG = ('snapshotSizeFactor=-1',)


@needs_kazoo
class Faults(unittest.TestCase):

    def ensemble(self, size=3, observers=(), settings=()):
        ensemble = ensembles.Ensemble([AVIARY] * size, observers, settings)
        self.addCleanup(ensemble.stop)
        return ensemble.start()

    def assert_agreed(self, ensemble):
        self.assertEqual([], ensemble.disagreements()[:20])

    def assert_missing(self, ensemble, path):
        for member in ensemble.running:
            client = member.client()
            self.assertEqual(rawclient.NO_NODE, client.call(GET_DATA, rawclient.watch_record(path)).error)
            client.close_session()

    # Members that come back

    def comes_back(self, away, settings=(), meanwhile=lambda member: None, count=20):
        """Kills a follower and an observer, writes, and starts them again; returns the new snapshots
        of the follower."""
        ensemble = self.ensemble(4, observers=(4,), settings=settings)
        follower = ensemble.followers()[0]
        ensemble.leader().write_many('/before', 50)
        ensemble.wait_until_in_step()
        before = follower.files('snapshot')
        for member in (follower, ensemble[4]):
            member.kill()
        ensemble.leader().write_many('/meanwhile', count)
        for member in (follower, ensemble[4]):
            away(member)
            member.spawn()
        self.assert_agreed(ensemble)
        follower.write_many('/after', 20)
        ensemble[4].write_many('/after-that', 20)
        self.assert_agreed(ensemble)
        found = follower.files('snapshot') - before
        ensemble.kill_all()
        for member in ensemble.members:
            member.spawn()
        self.assert_agreed(ensemble)
        return found

    def test_one_that_was_away_briefly_gets_what_it_missed(self):
        self.assertEqual(set(), self.comes_back(lambda member: None))

    def test_one_that_was_away_for_long_gets_a_snapshot(self):
        self.assertTrue(self.comes_back(lambda member: None, WITHOUT_LOG, count=MANY))

    @only_in_full
    def test_one_that_was_away_for_long_gets_it_from_the_log(self):
        self.assertEqual(set(), self.comes_back(lambda member: None, ('snapshotSizeFactor=1000',), count=MANY))

    def test_one_that_lost_its_data_gets_all_of_it(self):
        self.comes_back(lambda member: member.lose_data(), WITHOUT_LOG, count=MANY)

    @only_in_full
    def test_one_that_lost_its_data_soon_gets_all_of_it(self):
        self.comes_back(lambda member: member.lose_data())

    def proposal_in_one_log(self, settings=()):
        """A leader that is killed with a proposal in its log and nowhere else, and the others, which
        go on without it."""
        ensemble = self.ensemble(settings=settings)
        ensemble.leader().write_many('/before', 20)
        ensemble.wait_until_in_step()
        leader, followers = ensemble.leader(), ensemble.followers()
        client = leader.client()
        for follower in followers:
            follower.pause()
        client.send(CREATE, rawclient.create_record('/never-decided', b'proposed'))
        harness.wait_until(lambda: leader.logged(b'/never-decided'), what='that the leader logs it')
        leader.kill()
        with self.assertRaises(ConnectionError):
            self.fail(f'it was acknowledged: {client.receive().error}')
        for follower in followers:
            # What it has not read yet is gone with it.
            follower.kill()
            follower.spawn()
        ensemble.wait_until_in_step()
        self.assert_missing(ensemble, '/never-decided')
        return ensemble, leader

    def test_a_proposal_that_nobody_acknowledged_is_cut_off(self):
        ensemble, old_leader = self.proposal_in_one_log()
        ensemble.leader().write_many('/after', 20)
        old_leader.spawn()
        self.assert_agreed(ensemble)
        self.assert_missing(ensemble, '/never-decided')
        # Nor does it come back from the disk.
        for _ in range(2):
            ensemble.restart(old_leader)
            self.assert_missing(ensemble, '/never-decided')
        ensemble.kill_all()
        for member in ensemble.members:
            member.spawn()
        self.assert_agreed(ensemble)
        self.assert_missing(ensemble, '/never-decided')

    @only_in_full
    def test_a_proposal_that_nobody_acknowledged_is_cut_off_before_anything_else_is_written(self):
        ensemble, old_leader = self.proposal_in_one_log()
        old_leader.spawn()
        self.assert_agreed(ensemble)
        self.assert_missing(ensemble, '/never-decided')

    @only_in_full
    def test_a_proposal_that_nobody_acknowledged_is_cut_off_after_many_writes(self):
        ensemble, old_leader = self.proposal_in_one_log(WITHOUT_LOG)
        ensemble.leader().write_many('/after', MANY)
        old_leader.spawn()
        self.assert_agreed(ensemble)
        self.assert_missing(ensemble, '/never-decided')

    # Without a quorum

    def test_a_minority_acknowledges_nothing_and_serves_nobody(self):
        ensemble = self.ensemble(4, observers=(4,))
        leader = ensemble.leader()
        clients = [leader.client(), ensemble[4].client()]
        for n, client in enumerate(clients):
            done(client.create(f'/before-{n}', b'', EPHEMERAL))
        for follower in ensemble.followers():
            follower.kill()
        for n, client in enumerate(clients):
            client.send(CREATE, rawclient.create_record(f'/unanswered-{n}', b''))
        for client in clients:
            client.socket.settimeout(ensembles.LONGEST_WAIT_SECONDS)
            with self.assertRaises(ConnectionError):
                self.fail(f'a minority acknowledged: {client.receive().error}')
        for member in (leader, ensemble[4]):
            self.serves_nobody(member)
        for member in ensemble.voters:
            if not member.is_running:
                member.spawn()
        ensemble.wait_until_in_step()
        for n, client in enumerate(clients):
            again = ensemble[4 - n].client(session=client.session)
            self.assertEqual(client.session, again.session)
            done(again.call(GET_DATA, rawclient.watch_record(f'/before-{n}')))
        self.assert_agreed(ensemble)

    def serves_nobody(self, member):
        def is_silent():
            return member.try_words('srvr') == ensembles.NOT_SERVING + '\n'
        harness.wait_until(is_silent, ensembles.LONGEST_WAIT_SECONDS, 'that it serves nobody')
        for word in ('stat', 'mntr', 'cons', 'dump', 'wchs', 'conf', 'dirs'):
            self.assertEqual(ensembles.NOT_SERVING + '\n', member.words(word), word)
        self.assertEqual('imok', member.words('ruok'))
        self.assertEqual('null', member.words('isro'))
        with self.assertRaises(ConnectionError):
            member.client()

    def test_a_paused_majority_acknowledges_nothing(self):
        ensemble = self.ensemble(settings=('syncLimit=4',))
        leader = ensemble.leader()
        client = leader.client()
        for follower in ensemble.followers():
            follower.pause()
        client.send(CREATE, rawclient.create_record('/unanswered', b''))
        client.socket.settimeout(ensembles.LONGEST_WAIT_SECONDS)
        with self.assertRaises(ConnectionError):
            self.fail(f'it acknowledged: {client.receive().error}')
        self.serves_nobody(leader)
        for member in ensemble.running:
            member.go_on()
        self.assert_agreed(ensemble)
        again = ensemble[1].client(session=client.session)
        self.assertEqual(client.session, again.session)

    def test_a_leader_that_was_paused_follows_the_new_one(self):
        ensemble = self.ensemble(settings=('syncLimit=4',))
        old = ensemble.leader()
        client = old.client()
        done(client.create('/before', b'', EPHEMERAL))
        old.pause()
        others = [member for member in ensemble.members if member is not old]

        def another_leads():
            return any(member.mode() == 'leader' for member in others)
        harness.wait_until(another_leads, ensembles.LONGEST_WAIT_SECONDS, 'that another leads')
        others[0].write_many('/meanwhile', 20)
        client.send(CREATE, rawclient.create_record('/too-late', b''))
        old.go_on()
        with self.assertRaises(ConnectionError):
            self.fail(f'the old leader acknowledged: {client.receive().error}')
        self.assert_agreed(ensemble)
        self.assertEqual('follower', old.mode())
        self.assert_missing(ensemble, '/too-late')

    def test_observers_do_not_count(self):
        ensemble = self.ensemble(4, observers=(4,))
        ensemble[4].kill()
        ensemble.followers()[0].kill()
        ensemble.leader().write_many('/two-of-three', 20)
        ensemble[4].spawn()
        self.assert_agreed(ensemble)
        self.assertEqual('observer', ensemble[4].mode())

    # Clients that live through it

    def test_no_kill_of_one_loses_a_write_or_a_session(self):
        ensemble = self.ensemble(5 if ensembles.FULL else 3)
        writers = ensemble_clients.Writers(ensemble)
        for member in (*ensemble.members, *([None] * (6 if ensembles.FULL else 1))):
            member = member or ensemble.wait_for_leader()
            writers.start()
            writers.wait_for_more()
            member.kill()
            ensemble.wait_for_leader()
            writers.stop()
            self.assertEqual([], writers.losses()[:20])
            writers.start()
            writers.wait_for_more()
            member.spawn()
            ensemble.wait_until_in_step(quiet=False)
            writers.wait_for_more()
            writers.stop()
            self.assertEqual([], writers.losses()[:20])
            self.assert_agreed(ensemble)

    def test_a_kill_of_all_loses_no_acknowledged_write_and_no_session(self):
        ensemble = self.ensemble(settings=('snapCount=300',))
        writers = ensemble_clients.Writers(ensemble)
        for _ in range(8 if ensembles.FULL else 2):
            writers.start()
            writers.wait_for_more(200)
            ensemble.kill_all()
            writers.stop()
            for member in ensemble.members:
                member.spawn()
            self.assertEqual([], writers.losses()[:20])
            self.assert_agreed(ensemble)

    def test_a_session_that_nobody_goes_on_with_ends_under_the_next_leader(self):
        ensemble = self.ensemble()
        clients = [member.client(timeout_milliseconds=3000) for member in ensemble.members]
        kept = ensemble.followers()[0].client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
        done(kept.create('/kept', b'', EPHEMERAL))
        for n, client in enumerate(clients):
            done(client.create(f'/ends-{n}', b'', EPHEMERAL))
            done(client.create('/ends-', b'', EPHEMERAL | SEQUENCE))
        leader = ensemble.leader()
        for client in clients:
            client.abandon()
        leader.kill()
        ensemble.wait_for_leader()
        judge = ensemble.leader().client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
        roundtrip.wait_until_gone(judge, [f'/ends-{n}' for n in range(3)])
        done(judge.call(GET_DATA, rawclient.watch_record('/kept')))
        leader.spawn()
        self.assert_agreed(ensemble)
        for member in ensemble.members:
            for client in clients:
                with self.assertRaises(rawclient.Refused):
                    member.client(session=client.session)
            again = member.client(session=kept.session)
            self.assertEqual(kept.session, again.session)

    @only_in_full
    def test_members_come_and_go_while_one_leads(self):
        ensemble = self.ensemble(5)
        for turn in range(10):
            for follower in ensemble.followers()[:2]:
                follower.kill()
                ensemble.wait_for_leader().write_many(f'/{turn}-{follower.identity}', 30)
                follower.spawn()
            self.assert_agreed(ensemble)


if __name__ == '__main__':
    if ensembles.FULL:
        harness.LONGEST_TEST_SECONDS = 600
    harness.main()
