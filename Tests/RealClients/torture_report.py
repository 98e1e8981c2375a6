"""What a run of Scripts/torture tells at its end."""
import collections
import json

from torture_checkers import is_write
from torture_history import OK

MOST_SHOWN = 8


def longest_without_write(operations, rests):
    """The longest time without an acknowledged write, and when it began. `rests` are the (from, to)
    during which nobody asked for one; they begin with the time before the first."""
    acknowledged = sorted(one.returned for one in operations
                          if one.outcome == OK and is_write(one) and one.client >= 0)
    ends = sorted([(time, time) for time in acknowledged] + list(rests))
    longest, since, last = 0.0, 0.0, 0.0
    for begin, end in ends:
        if begin - last > longest:
            longest, since = begin - last, last
        last = max(last, end)
    return longest, since


def leaders(operations):
    """The epochs in which a client's write was acknowledged."""
    return len({one.zxid >> 32 for one in operations
                if one.outcome == OK and is_write(one) and one.zxid and one.client >= 0})


def figures(torture):
    operations, options = torture.history.operations, torture.options
    outcomes = collections.Counter(
        (one.kind, one.outcome) for one in operations if one.kind not in ('judge', 'expired'))
    in_step = sorted(torture.in_step) or [0.0]
    longest, since = longest_without_write(operations, torture.rests)
    return {
        'well': not torture.violations, 'seed': options.seed, 'seconds': round(torture.now()),
        'rounds': torture.rounds, 'operations': len(operations), 'events': len(torture.history.events),
        'outcomes': {f'{kind} {outcome}': count for (kind, outcome), count in sorted(outcomes.items())},
        'syncedReads': sum(one.synced for one in operations), 'staleSyncedReads': len(torture.stale),
        'sessionsMoved': sum(client.reconnects for client in torture.clients),
        'sessionsExpired': sum(client.expired for client in torture.clients),
        'faults': dict(torture.nemesis.counts.most_common()),
        'leaderChanges': max(0, leaders(operations) - 1),
        'withoutWrite': {'seconds': round(longest, 2), 'from': round(since, 2)},
        'inStepSeconds': {'median': round(in_step[len(in_step) // 2], 2), 'longest': round(in_step[-1], 2)},
        'memory': {member.identity: {'kind': member.kind, 'megabytes': round(member.megabytes(), 1),
                                     'highest': round(member.megabytes('VmHWM'), 1)}
                   for member in torture.ensemble.members},
        'proxy': torture.ensemble.proxy.order('count'),
        'ignoredViolations': len(torture.ignored),
        'violations': [one.lines() for one in torture.violations],
        'directory': str(torture.directory) if torture.violations or options.keep else None}


def report(torture):
    told = figures(torture)
    if torture.options.json:
        return print(json.dumps(told, indent=1))
    say = torture.say
    say(f'\n{told["operations"]} operations and {told["events"]} watch events in {told["seconds"]} s and '
        f'{told["rounds"]} rounds')
    for name, count in told['outcomes'].items():
        say(f'  {name:22}{count:>9}')
    say(f'{told["syncedReads"]} reads behind a sync, {told["staleSyncedReads"]} of them stale by way of an '
        'old leader')
    say(f'{told["sessionsMoved"]} connections of sessions, {told["sessionsExpired"]} sessions expired')
    say(f'{sum(told["faults"].values())} faults')
    for name, count in told['faults'].items():
        say(f'  {name:22}{count:>9}')
    say(f'{told["leaderChanges"]} leader changes')
    say(f'longest time without an acknowledged write: {told["withoutWrite"]["seconds"]} s, from '
        f'{told["withoutWrite"]["from"]} s on')
    say(f'back in step after the last fault of a round: median {told["inStepSeconds"]["median"]} s, longest '
        f'{told["inStepSeconds"]["longest"]} s')
    for identity, memory in told['memory'].items():
        say(f'member {identity} ({memory["kind"]}): {memory["megabytes"]:.0f} MB, highest '
            f'{memory["highest"]:.0f} MB')
    conclude(torture, told)


def conclude(torture, told):
    say = torture.say
    for lines in told['violations'][:MOST_SHOWN]:
        say('\n'.join(lines))
    if len(torture.violations) > MOST_SHOWN:
        say(f'and {len(torture.violations) - MOST_SHOWN} more')
    if torture.options.ignore:
        say(f'{len(torture.ignored)} violations of {", ".join(torture.options.ignore)} ignored')
        for one in torture.ignored[:2]:
            say(f'  ignored: {one.lines()[0]}')
    say(f'{len(torture.violations)} violations; seed {torture.options.seed}')
    if torture.violations:
        say(f'history: {torture.directory}/history.txt; faults: {torture.directory}/faults.log; logs and data: '
            f'{torture.directory}/member-*')
    elif torture.options.keep:
        say(f'history, logs and data: {torture.directory}')
