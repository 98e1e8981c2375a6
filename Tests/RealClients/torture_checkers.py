"""Finds what a history of clients has that ZooKeeper rules out. Pure functions of a history.

Zxids do most of the work: every write has one, and every reply names the last zxid that its member
had applied. So a read is right when it shows each key as the latest write up to that zxid left it,
and writes are linearizable when their zxids are in the order of real time.
"""
import bisect
import collections

from torture_history import FAILED, OK, UNKNOWN, Event, Violation

MOST_VIOLATIONS = 5
# Of all violations that a run of Scripts/torture can tell of.
NAMES = {'write order', 'registers', 'versions', 'synced reads', 'reply order', 'session order', 'session values',
         'watches', 'ended sessions', 'sequences', 'in step', 'agreement', 'processes', 'clients'}


def is_write(operation):
    return bool(operation.writes) or operation.sequence is not None


def epoch(zxid):
    return zxid >> 32


class Writes:
    """What is known of the writes of each key, also of those that were never acknowledged but seen."""

    def __init__(self, history):
        self.by_value = {}
        self.unknown_deletes = collections.defaultdict(list)
        self.known = collections.defaultdict(dict)
        self.learned = {}
        self.operations = history.operations
        for one in history.operations:
            for key, value in one.writes:
                if value is not None:
                    self.by_value[value] = (key, one)
                elif one.outcome == UNKNOWN:
                    self.unknown_deletes[key].append(one)
                if one.outcome == OK:
                    self.known[key][one.zxid] = (value, one)
        for reader in history.operations:
            for key, value, mzxid, _ in reader.reads:
                wrote = self.by_value.get(value)
                if value is not None and wrote and wrote[1].outcome == UNKNOWN:
                    self.learn(wrote[1], mzxid, key, reader)
        self.zxids = {key: sorted(known) for key, known in self.known.items()}

    def learn(self, write, mzxid, key, reader):
        """A write that was never answered was seen, so all of it was done."""
        self.learned.setdefault(id(write), (mzxid, write, reader))
        for wrote, value in write.writes:
            wrote = key if wrote.endswith('?') else wrote
            self.known[wrote].setdefault(mzxid, (value, write))

    def latest(self, key, zxid):
        """The last write of a key up to a zxid: (zxid, value, operation), or nil."""
        zxids = self.zxids.get(key, ())
        at = bisect.bisect_right(zxids, zxid)
        if not at:
            return None
        value, operation = self.known[key][zxids[at - 1]]
        return zxids[at - 1], value, operation


def writes_in_real_time(history, writes):
    """A write that is answered before another is asked has the smaller zxid; no two have the same."""
    acknowledged = [(one.zxid, one, None) for one in history.operations if one.outcome == OK and is_write(one)]
    placed = acknowledged + [entry for entry in writes.learned.values()]
    owners = {}
    for zxid, one, seen in placed:
        other = owners.setdefault(zxid, one)
        if other is not one:
            yield Violation('write order', f'two writes have zxid {zxid:#x}', [other, one, seen])
    by_return = sorted((entry for entry in acknowledged), key=lambda entry: entry[1].returned)
    at, highest = 0, None
    for zxid, one, seen in sorted(placed, key=lambda entry: entry[1].invoked):
        while at < len(by_return) and by_return[at][1].returned < one.invoked:
            if highest is None or by_return[at][0] > highest[0]:
                highest = by_return[at]
            at += 1
        if highest and highest[0] >= zxid:
            yield Violation('write order', f'a write at {highest[0]:#x} was acknowledged before another was '
                            f'asked, which got {zxid:#x}', [highest[1], one, seen])


def registers(history, writes):
    """What a read shows is what the latest write up to the zxid of its reply left; an acknowledged
    write is never lost, one that failed is never seen, and none is seen before it was asked."""
    for read in history.operations:
        if read.outcome != OK:
            continue
        for key, value, mzxid, _ in read.reads:
            found = (missing(writes, read, key) if value is None
                     else present(writes, read, key, value, mzxid))
            if found:
                yield found


def missing(writes, read, key):
    last = writes.latest(key, read.zxid)
    if not last or last[1] is None:
        return None
    for delete in writes.unknown_deletes.get(key, ()):
        if delete.invoked < read.returned and delete.after < read.zxid:
            return None
    return Violation('registers', f'{key} is missing at {read.zxid:#x}, but {last[1]} was written at '
                     f'{last[0]:#x}: an acknowledged write was lost',
                     [last[2], *writes.unknown_deletes.get(key, ())[:3], read])


def present(writes, read, key, value, mzxid):
    key_and_write = writes.by_value.get(value)
    if not key_and_write:
        return Violation('registers', f'{key} has {value}, which nobody wrote', [read])
    written, write = key_and_write
    if written != key and not (written.endswith('?') and key.startswith(written[:-1])):
        return Violation('registers', f'{key} has {value}, which was written to {written}', [write, read])
    if write.outcome == FAILED:
        return Violation('registers', f'{key} has {value}, whose write was refused', [write, read])
    if write.invoked > read.returned:
        return Violation('registers', f'{key} has {value} before it was written', [read, write])
    if write.outcome == OK and write.zxid != mzxid:
        return Violation('registers', f'{value} was acknowledged at {write.zxid:#x}, but has mzxid '
                         f'{mzxid:#x}', [write, read])
    learned = writes.learned.get(id(write))
    if learned and learned[0] != mzxid:
        return Violation('registers', f'{value} was seen with mzxid {learned[0]:#x} and with {mzxid:#x}',
                         [write, learned[2], read])
    if mzxid > read.zxid:
        return Violation('registers', f'a reply at {read.zxid:#x} has a value of {mzxid:#x}', [write, read])
    last = writes.latest(key, read.zxid)
    if last and last[0] != mzxid:
        return Violation('registers', f'{key} at {read.zxid:#x} has the value of {mzxid:#x}, but '
                         f'{last[1]} was written at {last[0]:#x}: a write was lost or reordered',
                         [write, last[2], read])
    return None


def versions(history, writes):
    """No two writes of a key that is never deleted lead to the same version, and versions grow with
    zxids; a conditional write finds the version that it asked for."""
    deleted = {key for one in history.operations for key, value in one.writes if value is None}
    known = collections.defaultdict(dict)
    for one in history.operations:
        if one.outcome != OK:
            continue
        seen = [(key, one.zxid, version) for key, version in one.versions]
        seen += [(key, mzxid, version) for key, value, mzxid, version in one.reads if value is not None]
        for key, zxid, version in seen:
            if key not in deleted:
                at, other = known[key].setdefault(version, (zxid, one))
                if at != zxid:
                    yield Violation('versions', f'{key} has version {version} at {at:#x} and at {zxid:#x}: '
                                    'an update was lost', [other, one])
        for key, version in one.versions:
            if one.base is not None and version != one.base + 1:
                yield Violation('versions', f'a write of {key} at version {one.base} led to {version}', [one])
    for key, by_version in known.items():
        before = None
        for version in sorted(by_version):
            zxid, one = by_version[version]
            if before and before[0] >= zxid:
                yield Violation('versions', f'{key} has version {version} at {zxid:#x}, after an earlier one '
                                f'at {before[0]:#x}', [before[1], one])
            before = (zxid, one)


def synced_reads(history, writes, stale=None):
    """A read behind a sync is of a state that has all that was acknowledged before the sync was
    asked. ZooKeeper's leader answers a sync without asking its followers, so a leader that does not
    know yet that another was elected may be behind: such reads are counted in `stale`, a list, and
    are violations without it. A read of the same epoch has no such excuse."""
    done = sorted((one for one in history.operations if one.outcome == OK and is_write(one)),
                  key=lambda one: one.returned)
    at, highest = 0, None
    for read in sorted((one for one in history.operations if one.synced and one.outcome == OK),
                       key=lambda one: one.invoked):
        while at < len(done) and done[at].returned < read.invoked:
            if highest is None or done[at].zxid > highest.zxid:
                highest = done[at]
            at += 1
        if not highest or highest.zxid <= read.zxid:
            continue
        violation = Violation('synced reads', f'a read behind a sync is of {read.zxid:#x}, but a write at '
                              f'{highest.zxid:#x} was acknowledged before the sync was asked',
                              [highest, read])
        if stale is not None and epoch(highest.zxid) > epoch(read.zxid):
            stale.append(violation)
        else:
            yield violation


def session_order(history, writes):
    """What a session asked is answered in that order at zxids that never go back, on whatever
    members; its writes have zxids that grow."""
    for operations in by_session(history.operations).values():
        seen = None
        for one in operations:
            if one.outcome == UNKNOWN or not one.zxid:
                continue
            if seen and one.zxid < seen.zxid:
                yield Violation('session order', f'a session at {seen.zxid:#x} was answered at {one.zxid:#x}',
                                [seen, one])
            elif seen and is_write(one) and one.outcome == OK and one.zxid == seen.zxid:
                yield Violation('session order', f'a write got {one.zxid:#x}, at which the session had been '
                                'answered before', [seen, one])
            seen = one


def session_values(history, writes):
    """No session sees the value of a key go back."""
    for operations in by_session(history.operations).values():
        seen = {}
        for one in operations:
            if one.outcome != OK:
                continue
            marks = [(key, mzxid) for key, value, mzxid, _ in one.reads if value is not None]
            marks += [(key, one.zxid) for key, value in one.writes if value is not None]
            for key, mzxid in marks:
                if key in seen and mzxid < seen[key][0]:
                    yield Violation('session values', f'a session that saw {key} of {seen[key][0]:#x} then '
                                    f'sees {key} of {mzxid:#x}', [seen[key][1], one])
                seen[key] = (mzxid, one)


def by_session(operations):
    """The operations of each session in the order asked."""
    sessions = collections.defaultdict(list)
    for one in operations:
        if one.session:
            sessions[one.session].append(one)
    for one in sessions.values():
        one.sort(key=lambda operation: operation.asked)
    return sessions


def watches(history, writes):
    """A session that watches a key is told of a change before any reply of that zxid or a later one,
    once, and of nothing that it does not watch. Watches outlive a change of members: the client sets
    them again."""
    for session in arrivals(history).values():
        watched = {}
        for one in sorted(session, key=lambda entry: entry.arrived):
            if isinstance(one, Event):
                if not watched.pop(one.key, None):
                    yield Violation('watches', f'an event for {one.key}, which the session does not watch',
                                    [one])
                continue
            yield from untold(writes, watched, one)
            for key, value, mzxid, _ in one.reads:
                if one.watches and value is not None:
                    watched.setdefault(key, (mzxid, one))


def arrivals(history):
    """What arrived at each session."""
    sessions = collections.defaultdict(list)
    for one in history.operations:
        if one.session and one.arrived and one.outcome != UNKNOWN:
            sessions[one.session].append(one)
    for one in history.events:
        sessions[one.session].append(one)
    return sessions


def untold(writes, watched, reply):
    """The changes of watched keys that a reply is not older than, though no event came. They are not
    watched any more after this."""
    shown = {key: value and mzxid for key, value, mzxid, _ in reply.reads}
    for key, (mzxid, watch) in list(watched.items()):
        last = writes.latest(key, reply.zxid)
        if shown.get(key, mzxid) != mzxid:
            del watched[key]
            yield Violation('watches', f'a session reads a change of {key} before the event of it',
                            [watch, reply])
        elif last and last[0] > mzxid:
            del watched[key]
            yield Violation('watches', f'a session has a reply of {reply.zxid:#x} before the event of the change '
                            f'of {key} at {last[0]:#x}', [watch, last[2], reply])


def ended_sessions(history, writes):
    """The ephemerals of a session are gone once a client was told that it has expired. (That they are
    there before, and gone at the zxid of a close, is told by `registers`.)"""
    told = {}
    for one in history.operations:
        if one.kind == 'expired':
            for key, _ in one.writes:
                told[key] = one
    for read in history.operations:
        if not read.synced or read.outcome != OK:
            continue
        for key, value, _, _ in read.reads:
            end = told.get(key)
            if value is not None and end and read.invoked > end.told:
                yield Violation('ended sessions', f'{key} is there after its session has expired', [end, read])


def sequences(history, writes):
    """The numbers below a parent grow with the zxids, and none is given twice."""
    parents = collections.defaultdict(list)
    for one in history.operations:
        if one.sequence and one.outcome == OK:
            parents[one.sequence[0]].append(one)
    for parent, creates in parents.items():
        creates.sort(key=lambda one: one.zxid)
        for before, one in zip(creates, creates[1:]):
            if one.sequence[1] <= before.sequence[1]:
                yield Violation('sequences', f'below {parent} {before.sequence[1]} was followed by '
                                f'{one.sequence[1]}', [before, one])


CHECKERS = (writes_in_real_time, registers, versions, synced_reads, session_order, session_values, watches,
            ended_sessions, sequences)


def check(history, stale=None):
    """The first violations that each checker finds."""
    writes = Writes(history)
    found = list(history.complaints)
    for checker in CHECKERS:
        violations = checker(history, writes, stale) if checker is synced_reads else checker(history, writes)
        for _, violation in zip(range(MOST_VIOLATIONS), violations):
            found.append(violation)
    return found
