"""The checkers of Scripts/torture find what they are for: hand-made histories, each with one thing
wrong, and others with nothing wrong."""
import random
import unittest

import harness
import torture_checkers
from torture_history import FAILED, FOREVER, OK, UNKNOWN, Event, History, Operation

ONE, TWO = 1 << 32, 2 << 32
A, B = '/torture/a', '/torture/b'


class Story:
    """A history told in order. Each operation takes a second of its own, unless it says otherwise."""

    def __init__(self):
        self.history = History()
        self.time = 0.0
        self.counts = {}

    def next(self, session):
        self.counts[session] = self.counts.get(session, 0) + 1
        return self.counts[session]

    def operation(self, kind, session, zxid, outcome=OK, at=None, writes=(), **fields):
        self.time += 2.0
        invoked, returned = at or (self.time, self.time + 1.0)
        one = Operation(kind, client=session, session=session, member=1, invoked=invoked, writes=writes)
        one.asked = one.arrived = self.next(session)
        one.returned = FOREVER if outcome == UNKNOWN else returned
        one.outcome, one.zxid = outcome, zxid
        for name, value in fields.items():
            setattr(one, name, value)
        self.history.operations.append(one)
        return one

    def write(self, key, value, zxid, session=1, **fields):
        return self.operation('setData', session, zxid, writes=[(key, value)], **fields)

    def read(self, key, value, mzxid, zxid, session=2, version=None, **fields):
        version = mzxid & 0xffff if version is None else version
        return self.operation('getData', session, zxid, reads=[(key, value, mzxid, version)], **fields)

    def event(self, key, session=2):
        self.time += 2.0
        self.history.events.append(Event(session, session, 1, self.next(session), self.time, key, 3))


class Checkers(unittest.TestCase):

    def setUp(self):
        self.story = Story()

    def found(self, stale=None):
        return [one.checker for one in torture_checkers.check(self.story.history, stale)]

    def assert_well(self):
        self.assertEqual([], [line for one in torture_checkers.check(self.story.history) for line in one.lines()])

    def assert_only(self, checker):
        violations = torture_checkers.check(self.story.history)
        self.assertEqual([checker], [one.checker for one in violations], [one.lines() for one in violations])
        self.assertTrue(violations[0].excerpt)
        self.assertIn(checker, violations[0].lines()[0])

    # Write order

    def test_writes_in_order_are_well(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2, session=2)
        self.assert_well()

    def test_a_later_write_with_a_smaller_zxid(self):
        self.story.write(A, 'x', ONE + 2)
        self.story.write(B, 'y', ONE + 1, session=2)
        self.assert_only('write order')

    def test_concurrent_writes_may_have_any_order(self):
        self.story.write(A, 'x', ONE + 2, at=(1, 10))
        self.story.write(A, 'y', ONE + 1, session=2, at=(2, 9))
        self.assert_well()

    def test_two_writes_with_one_zxid(self):
        self.story.write(A, 'x', ONE + 1, at=(1, 10))
        self.story.write(B, 'y', ONE + 1, session=2, at=(2, 9))
        self.assert_only('write order')

    def test_an_unanswered_write_that_is_seen_at_a_zxid_before_it_was_asked(self):
        self.story.write(A, 'x', ONE + 5)
        self.story.write(B, 'y', 0, session=3, outcome=UNKNOWN)
        self.story.read(B, 'y', ONE + 4, ONE + 6)
        self.assert_only('write order')

    # Registers

    def test_a_lost_acknowledged_write(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2)
        self.story.read(A, 'x', ONE + 1, ONE + 3)
        self.assert_only('registers')

    def test_a_lost_create(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(A, None, 0, ONE + 3)
        self.assert_only('registers')

    def test_a_deleted_node_that_is_there(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, None, ONE + 2)
        self.story.read(A, 'x', ONE + 1, ONE + 2)
        self.assert_only('registers')

    def test_a_stale_plain_read_of_an_earlier_zxid_is_well(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2)
        self.story.read(A, 'x', ONE + 1, ONE + 1)
        self.assert_well()

    def test_an_unanswered_write_may_be_done_or_not(self):
        for value, mzxid in (('x', ONE + 1), ('y', ONE + 2)):
            self.story = Story()
            self.story.write(A, 'x', ONE + 1)
            self.story.write(A, 'y', 0, session=3, outcome=UNKNOWN)
            self.story.read(A, value, mzxid, ONE + 3)
            self.assert_well()

    def test_an_unanswered_write_that_was_seen_and_is_gone(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', 0, session=3, outcome=UNKNOWN)
        self.story.read(A, 'y', ONE + 2, ONE + 2)
        self.story.read(A, 'x', ONE + 1, ONE + 3, session=4)
        self.assert_only('registers')

    def test_an_unanswered_write_that_was_done_twice(self):
        self.story.write(A, 'y', 0, session=3, outcome=UNKNOWN)
        self.story.read(A, 'y', ONE + 2, ONE + 2)
        self.story.read(A, 'y', ONE + 4, ONE + 4, session=4)
        self.assertIn('registers', self.found())

    def test_an_unanswered_delete_may_be_done(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, None, 0, session=3, outcome=UNKNOWN)
        self.story.read(A, None, 0, ONE + 2)
        self.assert_well()

    def test_a_node_that_is_gone_before_anyone_asked_to_delete_it(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(A, None, 0, ONE + 2)
        self.story.write(A, None, 0, session=3, outcome=UNKNOWN)
        self.assert_only('registers')

    def test_a_refused_write_that_is_seen(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2, outcome=FAILED)
        self.story.read(A, 'y', ONE + 2, ONE + 3)
        self.assert_only('registers')

    def test_a_value_of_nobody(self):
        self.story.read(A, 'z', ONE + 1, ONE + 1)
        self.assert_only('registers')

    def test_a_value_of_another_key(self):
        self.story.write(B, 'x', ONE + 1)
        self.story.read(A, 'x', ONE + 1, ONE + 1)
        self.assert_only('registers')

    def test_a_value_that_is_read_before_it_was_asked_for(self):
        self.story.read(A, 'x', ONE + 1, ONE + 1)
        self.story.write(A, 'x', ONE + 1)
        self.assert_only('registers')

    def test_a_value_with_another_mzxid_than_acknowledged(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(A, 'x', ONE + 2, ONE + 2)
        self.assert_only('registers')

    def test_a_value_newer_than_the_reply(self):
        self.story.write(A, 'x', ONE + 5)
        self.story.read(A, 'x', ONE + 5, ONE + 4)
        self.assert_only('registers')

    def test_half_a_multi(self):
        self.story.write(B, 'old', ONE + 1)
        self.story.operation('multi', 1, ONE + 2, writes=[(A, 'x'), (B, 'y')])
        self.story.operation('judge', 0, ONE + 3, reads=[(A, 'x', ONE + 2, 0), (B, 'old', ONE + 1, 0)])
        self.assert_only('registers')

    def test_half_an_unanswered_multi(self):
        self.story.write(B, 'old', ONE + 1)
        self.story.operation('multi', 1, 0, outcome=UNKNOWN, writes=[(A, 'x'), (B, 'y')])
        self.story.operation('judge', 0, ONE + 3, reads=[(A, 'x', ONE + 2, 0), (B, 'old', ONE + 1, 0)])
        self.assert_only('registers')

    def test_an_unanswered_sequential_create_is_known_by_its_value(self):
        self.story.write('/torture/s/?', 'x', 0, outcome=UNKNOWN)
        self.story.read('/torture/s/n-0000000004', 'x', ONE + 1, ONE + 1)
        self.assert_well()

    # Versions

    def test_two_writes_that_lead_to_one_version(self):
        self.story.write(A, 'x', ONE + 1, versions=[(A, 1)])
        self.story.write(A, 'y', ONE + 2, versions=[(A, 1)])
        self.assert_only('versions')

    def test_a_version_that_goes_back(self):
        self.story.write(A, 'x', ONE + 1, versions=[(A, 4)])
        self.story.write(A, 'y', ONE + 2, versions=[(A, 3)])
        self.assert_only('versions')

    def test_a_conditional_write_on_another_version(self):
        self.story.write(A, 'x', ONE + 1, versions=[(A, 4)], base=2)
        self.assert_only('versions')

    # Synced reads

    def test_a_synced_read_that_misses_a_write(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2)
        self.story.read(A, 'x', ONE + 1, ONE + 1, synced=True)
        self.assert_only('synced reads')
        self.assertEqual(['synced reads'], self.found(stale=[]))

    def test_a_synced_read_need_not_have_a_concurrent_write(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2, at=(100, 103))
        self.story.read(A, 'x', ONE + 1, ONE + 1, synced=True, at=(102, 104))
        self.assert_well()

    def test_a_synced_read_by_way_of_an_old_leader_is_counted(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', TWO + 1)
        self.story.read(A, 'x', ONE + 1, ONE + 1, synced=True)
        self.assert_only('synced reads')
        stale = []
        self.assertEqual([], self.found(stale))
        self.assertEqual(1, len(stale))

    # Sessions

    def test_a_session_whose_zxid_goes_back(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(B, None, 0, ONE + 1)
        self.story.read(B, None, 0, ONE)
        self.assert_only('session order')

    def test_two_sessions_may_be_at_different_zxids(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(B, None, 0, ONE + 1, session=3)
        self.story.read(B, None, 0, ONE)
        self.assert_well()

    def test_a_write_at_a_zxid_that_its_session_has_seen(self):
        self.story.read(B, None, 0, ONE + 1, session=1, at=(1, 3))
        self.story.write(A, 'x', ONE + 1, at=(1, 3))
        self.assert_only('session order')

    def test_pipelined_writes_in_disorder(self):
        self.story.write(A, 'x', ONE + 2, at=(1, 10))
        self.story.write(B, 'y', ONE + 1, at=(2, 9))
        self.assert_only('session order')

    def test_a_session_whose_value_goes_back(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.write(A, 'y', ONE + 2)
        self.story.read(A, 'y', ONE + 2, ONE + 2)
        self.story.read(A, 'x', ONE + 1, ONE + 2)
        self.assertEqual(['registers', 'session values'], self.found())

    # Watches

    def watched(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(A, 'x', ONE + 1, ONE + 1, watches=True)
        self.story.write(A, 'y', ONE + 2)

    def test_an_event_before_the_change_is_well(self):
        self.watched()
        self.story.event(A)
        self.story.read(A, 'y', ONE + 2, ONE + 2)
        self.assert_well()

    def test_a_change_that_is_read_before_its_event(self):
        self.watched()
        self.story.read(A, 'y', ONE + 2, ONE + 2)
        self.assert_only('watches')

    def test_a_delete_that_is_read_before_its_event(self):
        self.watched()
        self.story.write(A, None, ONE + 3)
        self.story.read(A, None, 0, ONE + 3)
        self.assert_only('watches')

    def test_an_event_that_does_not_come_before_a_later_reply(self):
        self.watched()
        self.story.read(B, None, 0, ONE + 2)
        self.story.event(A)
        self.assertEqual(['watches', 'watches'], self.found())

    def test_a_reply_from_before_the_change_needs_no_event(self):
        self.watched()
        self.story.read(B, None, 0, ONE + 1)
        self.story.event(A)
        self.assert_well()

    def test_an_event_that_comes_twice(self):
        self.watched()
        self.story.event(A)
        self.story.event(A)
        self.assert_only('watches')

    def test_an_event_of_another_node(self):
        self.watched()
        self.story.event(B)
        self.assert_only('watches')

    # Ephemerals, which end with a delete by their session

    def test_an_ephemeral_that_outlives_the_close_of_its_session(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.operation('closeSession', 1, ONE + 2, writes=[(A, None)])
        self.story.read(A, 'x', ONE + 1, ONE + 2)
        self.assert_only('registers')

    def test_an_ephemeral_that_is_gone_while_its_session_lives(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.read(A, None, 0, ONE + 2)
        self.story.read(B, None, 0, ONE + 3, session=1)
        self.story.operation('expired', 1, 0, outcome=UNKNOWN, writes=[(A, None)], after=ONE + 3, invoked=0.0)
        self.assert_only('registers')

    def expired(self):
        self.story.write(A, 'x', ONE + 1)
        self.story.operation('expired', 1, 0, outcome=UNKNOWN, writes=[(A, None)], after=ONE + 1, invoked=0.0,
                             told=self.story.time + 3)
        self.story.time += 10

    def test_an_ephemeral_that_is_gone_with_its_session_is_well(self):
        self.expired()
        self.story.read(A, None, 0, ONE + 2, synced=True)
        self.assert_well()

    def test_an_ephemeral_that_outlives_its_expired_session(self):
        self.expired()
        self.story.read(A, 'x', ONE + 1, ONE + 3, synced=True)
        self.assert_only('ended sessions')

    # Sequences

    def test_a_number_that_is_given_twice(self):
        self.story.write('/s/n-1', 'x', ONE + 1, sequence=('/s', 1))
        self.story.write('/s/m-1', 'y', ONE + 2, sequence=('/s', 1))
        self.assert_only('sequences')

    def test_a_number_that_goes_back(self):
        self.story.write('/s/n-2', 'x', ONE + 1, sequence=('/s', 2))
        self.story.write('/s/n-1', 'y', ONE + 2, sequence=('/s', 1))
        self.assert_only('sequences')

    # All together

    def random_story(self, choice):
        """What a correct ensemble might have done."""
        zxid, latest, count = ONE, {}, 0
        for _ in range(400):
            key, session = choice.choice((A, B)), choice.randrange(1, 5)
            if choice.random() < 0.5:
                outcome = choice.choice((OK, OK, OK, UNKNOWN))
                count += 1
                value = f'v{count}' if choice.random() < 0.8 else None
                done = outcome == OK or choice.random() < 0.5
                zxid += done
                self.story.write(key, value, zxid if outcome == OK else 0, session, outcome=outcome)
                if done:
                    latest[key] = (value, zxid)
            else:
                value, mzxid = latest.get(key, (None, 0))
                self.story.read(key, value, mzxid if value else 0, zxid, session, synced=choice.random() < 0.5)

    def test_correct_histories_are_well(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                self.story = Story()
                self.random_story(random.Random(seed))
                self.assert_well()

    def test_a_correct_history_with_one_value_exchanged_is_not(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                choice = random.Random(seed)
                self.story = Story()
                self.random_story(choice)
                reads = [one for one in self.story.history.operations if one.reads and one.reads[0][1]]
                values = {one.reads[0][1:3] for one in reads}
                one = choice.choice(reads)
                key, value, mzxid, version = one.reads[0]
                other = choice.choice(sorted(values - {(value, mzxid)}))
                one.reads = [(key, *other, version)]
                self.assertNotEqual([], self.found())


if __name__ == '__main__':
    harness.main()
