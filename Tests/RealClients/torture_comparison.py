"""Whether all members of an ensemble have come to the same, after faults have ended."""
import time

import harness
import rawclient
import torture_clients
from torture_history import OK, Operation

# Time limits other than that of being back in step are generous: the machine may be busy.
COMPARE_SECONDS = 60.0


def write_nothing(members):
    """The zxid of a session's end, or nil while nobody takes writes."""
    for member in members:
        if member.is_serving():
            try:
                client = member.client(limit=1.5)
                zxid = client.call(rawclient.CLOSE_SESSION).zxid
                client.abandon()
                return zxid
            except (OSError, rawclient.Refused):
                continue
    return None


def compare(ensemble, keys, now):
    """While nobody writes but sessions that end: lines for what members do not have in common, and
    what each has, as one synced read of all. They may take their time."""
    lines, end = ['nobody was asked'], time.monotonic() + COMPARE_SECONDS
    while lines and time.monotonic() < end:
        began = now()
        try:
            # Their sessions are all there before the first of them reads.
            readers = [member.client(timeout_milliseconds=30000) for member in ensemble.members]
            trees = [torture_clients.read_tree(reader, keys) for reader in readers]
            lines = differences(ensemble, trees)
            for reader in readers:
                reader.close_session()
        except (OSError, rawclient.Refused, harness.TooLong, AssertionError) as error:
            lines = [f'{type(error).__name__}: {error}']
        if lines:
            time.sleep(0.3)
    if lines:
        return lines, []
    return [], [judgement(member, nodes, zxid, began, now())
                for member, (nodes, _, zxid) in zip(ensemble.members, trees)]


def differences(ensemble, trees):
    members = ensemble.members
    zxids = {zxid for _, first, last in trees for zxid in (first, last)}
    if len(zxids) > 1:
        return ['their zxids are ' + ', '.join(f'{first:#x}..{last:#x}' for _, first, last in trees)]
    lines = []
    for member, (nodes, _, _) in zip(members[1:], trees[1:]):
        for key in sorted(nodes.keys() | trees[0][0].keys()):
            one, other = trees[0][0].get(key), nodes.get(key)
            if one != other:
                lines.append(f'{key} is {one} on member {members[0].identity}, {other} on member '
                             f'{member.identity}')
    for name in ('znode_count', 'ephemerals_count'):
        counts = [member.monitored(name) for member in members]
        if len(set(counts)) > 1:
            lines.append(f'{name}: {counts}')
    return lines + ensemble.digest_faults()


def judgement(member, nodes, zxid, began, ended):
    one = Operation('judge', client=-1, member=member.identity, invoked=began)
    one.returned, one.outcome, one.zxid, one.synced = ended, OK, zxid, True
    for key, node in nodes.items():
        value, stat = node or (None, {'mzxid': 0, 'version': 0})
        one.reads.append((key, value, stat['mzxid'], stat['version']))
    return one
