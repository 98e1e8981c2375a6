"""Ensembles of Apache ZooKeeper and the server under test, and the replacement of one by the other,
member by member on the same data, under clients that must not notice.

By default a part of it; all of it with AVIARY_ENSEMBLES=full.
"""
import unittest

import ensembles
import harness
import rawclient
from ensembles import APACHE, AVIARY, needs_apache, needs_kazoo, only_in_full

if harness.optional('kazoo'):
    import ensemble_clients
    import roundtrip


class GoesOn(unittest.TestCase):
    """What must go on, and be the same at all members, whatever is done to one of them."""

    def start(self, kinds, observer=None, **options):
        observers = (len(kinds) + 1,) if observer else ()
        ensemble = ensembles.Ensemble([*kinds, *([observer] if observer else [])], observers, **options)
        self.addCleanup(ensemble.stop)
        return ensemble.start()

    def holders(self, ensemble):
        ensemble_clients.prepare_holders(ensemble)
        holders = [ensemble_clients.Holder(ensemble.hosts, n) for n in range(2)]
        for holder in holders:
            self.addCleanup(holder.stop)
        return holders

    def assert_nothing_lost(self, ensemble, writers, holders):
        """Looks at what there is, and lets all write on."""
        writers.stop()
        self.assertEqual([], writers.losses()[:20])
        for holder in holders:
            holder.wait_for_more()
            self.assertEqual([], holder.complaints())
        self.assert_agreed_while_held(ensemble, holders)
        writers.start()

    def assert_agreed_while_held(self, ensemble, holders):
        for holder in holders:
            holder.pause()
        self.assert_agreed(ensemble)
        lost = [line for member in ensemble.running for holder in holders for line in holder.losses(member)]
        self.assertEqual([], lost)
        for holder in holders:
            holder.go_on()

    def assert_agreed(self, ensemble):
        self.assertEqual([], ensemble.disagreements()[:20])

    def sessions_go_on(self, ensemble, kept):
        """Each session goes on at the next member, with its ephemerals."""
        for n, client in enumerate(kept):
            client.abandon()
            members = [*ensemble.members[n + 1:], *ensemble.members[:n + 1]]
            again = ensemble_clients.attach(members, client.session, f'the session opened at member {n + 1}')
            path = f'/by-{n + 1}/eph/open'
            owner = roundtrip.done(again.call(roundtrip.GET_DATA, rawclient.watch_record(path))).body
            owner.buffer()
            self.assertEqual(client.session[0], owner.stat()['ephemeralOwner'])
            roundtrip.done(again.call(roundtrip.SET_DATA, rawclient.set_record(path, b'goes on')))
            kept[n] = again


@needs_kazoo
@needs_apache
@unittest.skipIf(harness.is_apache(), 'these are about ensembles of both')
class Mixed(GoesOn):
    """Each starts voters, of which the last leads, and perhaps an observer. Then each member ends and
    comes back, the leader for longer, and at last all at once."""

    def lives_through_everything(self, *kinds, observer=None, **options):
        ensemble = self.start(kinds, observer, **options)
        kept = [member.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS) for member in ensemble.members]
        for member, client in zip(ensemble.members, kept):
            with self.subTest(member.kind, writes=member.mode()):
                roundtrip.write(member, f'/by-{member.identity}', client)
        self.assert_agreed(ensemble)
        writers = ensemble_clients.Writers(ensemble)
        holders = self.holders(ensemble)
        writers.start()
        for member in ensemble.members:
            writers.wait_for_more()
            ensemble.restart(member)
            self.assert_nothing_lost(ensemble, writers, holders)
        self.kill_the_leader(ensemble, writers, holders)
        self.sessions_go_on(ensemble, kept)
        ensemble.kill_all()
        for member in ensemble.members:
            member.spawn()
        writers.stop()
        self.assert_nothing_lost(ensemble, writers, holders)
        self.sessions_go_on(ensemble, kept)

    def kill_the_leader(self, ensemble, writers, holders):
        leader = ensemble.wait_for_leader()
        writers.wait_for_more()
        leader.kill()
        self.assertNotEqual(leader, ensemble.wait_for_leader())
        self.assert_nothing_lost(ensemble, writers, holders)
        writers.wait_for_more()
        leader.spawn()
        self.assert_nothing_lost(ensemble, writers, holders)

    def test_an_apache_leader_with_an_aviary_follower_and_an_aviary_observer(self):
        self.lives_through_everything(AVIARY, APACHE, APACHE, observer=AVIARY)

    def test_an_aviary_leader_with_an_apache_follower_and_an_apache_observer(self):
        self.lives_through_everything(APACHE, AVIARY, AVIARY, observer=APACHE)

    def test_an_aviary_observer_goes_from_one_apache_observer_master_to_the_next(self):
        ensemble = self.start([APACHE] * 3, observer=AVIARY, has_observer_masters=True)
        observer, leader = ensemble[4], ensemble.leader()
        kept = observer.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS)
        roundtrip.write(observer, '/by-observer', kept)
        self.assertEqual(0, leader.monitored('synced_observers'), 'it follows the leader itself')
        self.assert_agreed(ensemble)
        for follower in ensemble.followers():
            follower.kill()
            kept.abandon()
            kept = ensemble_clients.attach([observer], kept.session, 'the session at the observer')
            roundtrip.done(kept.create(f'/without-{follower.identity}'))
            follower.spawn()
            ensemble.wait_until_serving()
            self.assert_agreed(ensemble)
        self.assertEqual(0, leader.monitored('synced_observers'), 'it follows the leader itself')

    @only_in_full
    def test_an_apache_leader_with_one_aviary(self):
        self.lives_through_everything(AVIARY, APACHE, APACHE)

    @only_in_full
    def test_an_apache_leader_with_two_aviaries(self):
        self.lives_through_everything(AVIARY, AVIARY, APACHE)

    @only_in_full
    def test_an_aviary_leader_with_two_apaches(self):
        self.lives_through_everything(APACHE, APACHE, AVIARY)

    @only_in_full
    def test_an_aviary_leader_with_one_apache(self):
        self.lives_through_everything(APACHE, AVIARY, AVIARY)

    @only_in_full
    def test_three_aviaries_with_two_apaches(self):
        self.lives_through_everything(AVIARY, APACHE, AVIARY, APACHE, AVIARY)

    @only_in_full
    def test_an_aviary_observer_of_apaches(self):
        self.lives_through_everything(APACHE, APACHE, APACHE, observer=AVIARY)

    @only_in_full
    def test_an_apache_observer_of_aviaries(self):
        self.lives_through_everything(AVIARY, AVIARY, AVIARY, observer=APACHE)

    @only_in_full
    def test_the_same_with_apaches_alone(self):
        """Shows that the other tests ask for nothing that Apache does not do."""
        self.lives_through_everything(APACHE, APACHE, APACHE)

    @only_in_full
    def test_the_same_with_aviaries_alone(self):
        self.lives_through_everything(AVIARY, AVIARY, AVIARY)


@needs_kazoo
@needs_apache
@unittest.skipIf(harness.is_apache(), 'these are about a change from one to the other')
class Synchronization(unittest.TestCase):
    """A leader of each kind brings a member of the other up to date."""

    def comes_back(self, follower, leader, away=lambda member: None, count=20, settings=()):
        ensemble = ensembles.Ensemble([follower, leader, leader], settings=settings)
        self.addCleanup(ensemble.stop)
        ensemble.start()
        ensemble.leader().write_many('/before', 30)
        ensemble.wait_until_in_step()
        ensemble[1].kill()
        ensemble.leader().write_many('/meanwhile', count)
        away(ensemble[1])
        ensemble[1].spawn()
        self.assertEqual([], ensemble.disagreements()[:20])
        ensemble[1].write_many('/after', 30)
        ensemble.restart(ensemble[1])
        self.assertEqual([], ensemble.disagreements()[:20])

    def both_ways(self, **options):
        for follower, leader in ((AVIARY, APACHE), (APACHE, AVIARY)):
            with self.subTest(leader=leader):
                self.comes_back(follower, leader, **options)

    def test_a_snapshot(self):
        self.both_ways(count=700, settings=('snapshotSizeFactor=-1',))

    @only_in_full
    def test_what_was_missed(self):
        self.both_ways()

    @only_in_full
    def test_what_was_missed_from_the_log(self):
        self.both_ways(count=700, settings=('snapshotSizeFactor=1000',))

    @only_in_full
    def test_all_of_it(self):
        self.both_ways(away=lambda member: member.lose_data(), count=700, settings=('snapshotSizeFactor=-1',))

    @only_in_full
    def test_a_proposal_that_nobody_acknowledged_is_cut_off(self):
        for old, others in ((AVIARY, APACHE), (APACHE, AVIARY)):
            with self.subTest(leads=others):
                self.cut_off([others, others, old])

    def cut_off(self, kinds):
        ensemble = ensembles.Ensemble(kinds)
        self.addCleanup(ensemble.stop)
        ensemble.start()
        leader, followers = ensemble.leader(), ensemble.followers()
        leader.write_many('/before', 20)
        ensemble.wait_until_in_step()
        client = leader.client()
        for follower in followers:
            follower.pause()
        client.send(roundtrip.CREATE, rawclient.create_record('/never-decided', b''))
        harness.wait_until(lambda: leader.logged(b'/never-decided'), what='that the leader logs it')
        leader.kill()
        for follower in followers:
            follower.kill()
            follower.spawn()
        ensemble.wait_until_in_step()
        ensemble.leader().write_many('/after', 20)
        leader.spawn()
        for _ in range(2):
            self.assertEqual([], ensemble.disagreements()[:20])
            for member in ensemble.members:
                self.assertNotIn('/never-decided', ensemble.tree(member))
            ensemble.restart(leader)


@needs_kazoo
@needs_apache
@unittest.skipIf(harness.is_apache(), 'this is about a change from one to the other')
class Replacement(GoesOn):
    """What an operator does to change the servers under programs that go on."""

    def test_three_apaches_become_aviaries_and_apaches_again(self):
        ensemble = self.start([APACHE] * 3)
        kept = [member.client(timeout_milliseconds=ensembles.KEPT_MILLISECONDS) for member in ensemble.members]
        for member, client in zip(ensemble.members, kept):
            roundtrip.write(member, f'/by-{member.identity}', client)
        writers = ensemble_clients.Writers(ensemble)
        holders = self.holders(ensemble)
        writers.start()
        for kind in (AVIARY, APACHE) * (2 if ensembles.FULL else 1):
            # Followers first, the leader last.
            for member in sorted(ensemble.members, key=lambda member: member.mode() == 'leader'):
                writers.wait_for_more()
                for holder in holders:
                    holder.wait_for_more()
                ensemble.replace(member, kind)
                self.assert_nothing_lost(ensemble, writers, holders)
            self.assertEqual({kind}, {member.kind for member in ensemble.members})
            self.sessions_go_on(ensemble, kept)
        writers.stop()
        self.assert_nothing_lost(ensemble, writers, holders)


if __name__ == '__main__':
    if ensembles.FULL:
        harness.LONGEST_TEST_SECONDS = 900
    harness.main()
