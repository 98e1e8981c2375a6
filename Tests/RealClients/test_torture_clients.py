"""The clients of Scripts/torture notice replies in disorder, and its report finds the time without a write."""
import struct
import unittest

import harness
import rawclient
import torture_clients
import torture_report
from torture_history import FOREVER, OK, UNKNOWN, History, Operation

A, B = '/torture/a', '/torture/b'


class Member:
    identity = 1


class Replies(rawclient.RawClient):
    """A connection on which such replies come: nodes that do not exist, at zxid 1."""

    def __init__(self, xids):
        self.xid, self.socket = 0, self
        self.frames = [struct.pack('>iqi', xid, 1, rawclient.NO_NODE) for xid in xids]

    def sendall(self, data):
        pass

    def frame(self):
        return self.frames.pop(0)


def written(at, outcome):
    """A write that is answered at that time, if it is answered."""
    one = Operation('setData', invoked=at - 1, writes=[(A, f'at {at}')])
    one.returned = FOREVER if outcome == UNKNOWN else at
    one.outcome = outcome
    return one


class Clients(unittest.TestCase):

    def exchanged(self, *xids):
        """What a client complains of, given replies with these numbers to two reads."""
        history = History()
        client = torture_clients.Client(torture_clients.Shared([], history, 0.0, 1.0), 0, 0)
        client.member, client.session = Member(), (1, b'')
        client.raw = Replies(xids)
        try:
            client.exchange([client.read(A), client.read(B)])
        except ConnectionError:
            pass
        return [one.checker for one in history.complaints]

    def test_replies_in_order_are_well(self):
        self.assertEqual([], self.exchanged(1, 2))

    def test_replies_in_disorder(self):
        self.assertEqual(['reply order'], self.exchanged(2, 1))

    def test_time_without_a_write_counts_between_acknowledged_writes_and_not_while_clients_rest(self):
        writes = [written(at, outcome) for at, outcome in
                  ((10, OK), (11, OK), (12, UNKNOWN), (18, OK), (30, OK))]
        found = torture_report.longest_without_write(writes, [(0.0, 9.0), (19.0, 29.0)])
        self.assertEqual((7, 11), found)


if __name__ == '__main__':
    harness.main()
