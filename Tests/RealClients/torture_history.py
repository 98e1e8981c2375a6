"""What clients did and saw: the material of torture_checkers.py."""
OK, FAILED, UNKNOWN = 'ok', 'failed', 'unknown'
FOREVER = float('inf')


class Operation:
    """One request from the moment it was asked to the moment it was answered.

    `writes` are (key, value) pairs, the value nil for a delete; a sequential create that was never
    answered has a key that ends with `?`. `reads` are (key, value, mzxid, version). `asked` and
    `arrived` count what a session asked and what arrived at it.
    """
    __slots__ = ('client', 'session', 'member', 'kind', 'asked', 'arrived', 'invoked', 'returned', 'outcome',
                 'zxid', 'error', 'writes', 'reads', 'versions', 'synced', 'base', 'sequence', 'after',
                 'told', 'watches')

    def __init__(self, kind, client=0, session=0, member=0, asked=0, invoked=0.0, writes=(), base=None):
        self.kind = kind
        self.client = client
        self.session = session
        self.member = member
        self.asked = asked
        self.arrived = 0
        self.invoked = invoked
        self.returned = FOREVER
        self.outcome = UNKNOWN
        self.zxid = 0
        self.error = 0
        self.writes = list(writes)
        self.reads = []
        # (key, version) after a write, and the version that it asked for.
        self.versions = []
        self.base = base
        # Whether a sync was answered before what was read.
        self.synced = False
        # (parent, number) of a sequential create.
        self.sequence = None
        # A session's end that nobody saw happened after this zxid.
        self.after = 0
        # When a client was told that its session has expired.
        self.told = FOREVER
        # Whether the read left a watch.
        self.watches = False

    def __str__(self):
        times = f'{self.invoked:9.3f}..{self.returned:9.3f}'
        text = (f'{times} client {self.client} session {self.session:#x} #{self.asked} at member '
                f'{self.member}: {self.kind} {self.outcome}')
        if self.error:
            text += f' {self.error}'
        if self.zxid:
            text += f' zxid {self.zxid:#x}'
        text += ''.join(f' {key}:={value}' for key, value in self.writes[:4])
        text += ''.join(f' {key}={value} (mzxid {mzxid:#x}, version {version})'
                        for key, value, mzxid, version in self.reads[:4])
        if self.versions:
            text += f' versions {self.versions}'
        return text + (' synced' if self.synced else '') + (' watched' if self.watches else '')


class Event:
    """A notification that arrived at a session."""
    __slots__ = ('client', 'session', 'member', 'arrived', 'time', 'key', 'type')

    def __init__(self, client, session, member, arrived, time, key, type):
        self.client, self.session, self.member, self.arrived = client, session, member, arrived
        self.time, self.key, self.type = time, key, type

    def __str__(self):
        return (f'{self.time:9.3f}            client {self.client} session {self.session:#x} at member '
                f'{self.member}: event {self.type} for {self.key}')


class Violation:
    """What was wrong, and the part of the history that shows it."""

    def __init__(self, checker, text, excerpt=()):
        self.checker = checker
        self.text = text
        self.excerpt = [one for one in excerpt if one is not None]

    def lines(self):
        return [f'VIOLATION of {self.checker}: {self.text}', *(f'    {one}' for one in self.excerpt)]


class History:
    """All operations and events, and what clients themselves found to be wrong."""

    def __init__(self, operations=(), events=()):
        self.operations = list(operations)
        self.events = list(events)
        self.complaints = []

    def copy(self):
        """As it is now, while clients go on."""
        other = History(self.operations[:], self.events[:])
        other.complaints = self.complaints[:]
        return other
