"""Resident memory, and what one more of each costs."""
import statistics

from ..plot import lines
from .tables import name, ratio, rounds, significant, table

KINDS = {'nodes': 'nodes of 100 bytes', 'watches': 'watches', 'sessions': 'idle sessions'}
MIB = 1024 ** 2


def part(document, plots):
    found = {kind: by_count(document['results'], kind) for kind in KINDS}
    count = len(next(iter(document['results'].values())))
    return [f'Resident memory (`VmRSS`) in MiB, medians of {rounds(count)}; Apache with `-Xmx4g`.',
            picture(document, found, plots), *(listing(kind, found[kind]) for kind in KINDS)]


def by_count(results, kind):
    """{count: {server: MiB}}"""
    counts = [count for rounds in results.values() for row in rounds for count in row[kind]]
    return {count: {server: statistics.median(row[kind][count] for row in rounds)
                    for server, rounds in results.items()} for count in dict.fromkeys(counts)}


def picture(document, found, plots):
    panels = []
    for kind, rows in found.items():
        curves = {server: [(float(count), values[server]) for count, values in rows.items()]
                  for server in document['results']}
        ticks = tuple(float(count) for count in rows)
        panels.append(lines.Panel(KINDS[kind], lines.Axis('how many', True, ticks), lines.Axis('MiB', True), curves))
    title = 'Resident memory'
    return plots.plot('memory', title, lines.plot(title, panels, shares_y=True))


def listing(kind, rows):
    there = list(next(iter(rows.values())))
    head = [KINDS[kind], *(f'{name(s)} MiB' for s in there), *(f'{name(s)} bytes for each' for s in there)]
    head += ['× memory'] if len(there) > 1 else []
    lines_, first = [], rows['0']
    for count, values in rows.items():
        each = [significant((values[s] - first[s]) * MIB / int(count)) if int(count) else '' for s in there]
        row = [f'{int(count):,}', *(significant(values[s]) for s in there), *each]
        lines_.append(row + ([ratio(values[there[0]], values[there[1]])] if len(there) > 1 else []))
    return table(head, lines_)
