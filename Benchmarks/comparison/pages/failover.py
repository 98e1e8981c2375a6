"""How long nothing was written after a fault of the leader."""
import statistics

from ..plot import rows as row_plot
from .tables import name, rounds, significant, table

FAULTS = {'kill': 'killed', 'freeze': 'frozen'}


def gaps(rows):
    return sorted(row['gap_ms'] for row in rows if 'gap_ms' in row)


def part(document, plots):
    found = document['results']
    count = len(next(iter(found['kill'].values())))
    return [f'Milliseconds without an acknowledged write, {rounds(count)}.', picture(found, plots), listing(found)]


def picture(found, plots):
    marks = {f'leader {FAULTS[fault]}': {s: gaps(rows) for s, rows in by_server.items()}
             for fault, by_server in found.items()}
    labels = {s: name(s) for by_server in found.values() for s in by_server}
    title = 'The gap in the writes after a fault of the leader, each round'
    return plots.plot('failover', title, row_plot.plot(title, 'milliseconds', marks, labels))


def listing(found):
    head = ['leader', 'server', 'median ms', 'shortest', 'longest', 'sessions kept', 'acknowledged writes lost']
    rows = []
    for fault, by_server in found.items():
        for server, measured in by_server.items():
            times = gaps(measured)
            rows.append([FAULTS[fault], name(server), significant(statistics.median(times) if times else None),
                         *(significant(pick(times)) if times else '-' for pick in (min, max)),
                         f'{sum(row["session_kept"] for row in measured)} of {len(measured)}',
                         sum(row['lost_writes'] for row in measured)])
    return table(head, rows)
