"""Resident memory against nodes, watches and idle sessions."""
import resource
import time

from ..load import complaint, run
from .storage import HEAP, LONGEST_LOAD_SECONDS, fill

NODES = (10_000, 100_000, 1_000_000)
WATCHES = (10_000, 100_000, 1_000_000)
SESSIONS = (1_000, 5_000, 10_000, 20_000)
WATCHERS = 100
SETTLE_SECONDS = 1.0
# Files that a server has open besides sessions, or keeps back for its own.
SPARE_FILES = 2_000


def sessions():
    """SESSIONS, the last of them cut to what the system's limit of open files lets a server have."""
    most = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES) // 500 * 500
    return sorted({min(count, most) for count in SESSIONS})


def settled(ensemble):
    time.sleep(SETTLE_SECONDS)
    return round(ensemble.members[0].memory(), 2)


def with_nodes(bench, ensemble, counts):
    """One tree that grows from count to count."""
    found, there = {'0': settled(ensemble)}, 0
    for count in counts:
        fill(bench, ensemble, count - there)
        there = count
        found[str(count)] = settled(ensemble)
    return found


def with_load(bench, ensemble, words):
    """Before and with what the connections of zkload hold, on a server that has done nothing else."""
    before = settled(ensemble)
    words = [*words, '-t', SETTLE_SECONDS, '-u', 0]
    row = run(bench.tools.path('zkload'), ensemble, words, LONGEST_LOAD_SECONDS)
    said = complaint(row)
    if said:
        return before, {'failed': said}
    # Watches count from where their sessions are there already.
    return row['base_mb'] if words[1] == 'watches' else before, row['rss_mb']


def measure_one(bench, name, command):
    def fresh(folder):
        return bench.ensemble(name, command, 1, folder, heap=HEAP)

    with bench.folder('memory') as folder, fresh(folder) as ensemble:
        found = {'nodes': with_nodes(bench, ensemble, bench.pick(NODES, (1_000, 10_000)))}
    loads = {'watches': {n: ['-w', 'watches', '-c', WATCHERS, '-n', n // WATCHERS]
                         for n in bench.pick(WATCHES, (1_000, 10_000))},
             'sessions': {n: ['-w', 'idle', '-c', n] for n in bench.pick(sessions(), (100, 1_000))}}
    for what, sizes in loads.items():
        found[what] = {}
        for count, words in sizes.items():
            with bench.folder('memory') as folder, fresh(folder) as ensemble:
                before, after = with_load(bench, ensemble, words)
            found[what].setdefault('0', before)
            found[what][str(count)] = after
        bench.say(f'memory: {what} of {name} done')
    return found


def measure(bench, _topology):
    """MiB of every round by server, kind and count, or {'failed': why}."""
    found = {name: [] for name in bench.servers}
    for number in range(1, bench.few_rounds + 1):
        for name in list(found)[::1 if number % 2 else -1]:
            found[name].append(measure_one(bench, name, bench.servers[name]))
        bench.say(f'memory: round {number} of {bench.few_rounds} done')
    return found
