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
    """{count: {server: MiB, or None where a round failed}}"""
    counts = [count for rounds in results.values() for row in rounds for count in row[kind]]
    return {count: {server: middle([row[kind][count] for row in rounds]) for server, rounds in results.items()}
            for count in dict.fromkeys(counts)}


def middle(values):
    return None if any(isinstance(value, dict) for value in values) else statistics.median(values)


def picture(document, found, plots):
    panels = []
    for kind, rows in found.items():
        curves = {server: [(float(count), values[server]) for count, values in rows.items()
                           if values[server] is not None]
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
        each = [bytes_for_each(values[s], first[s], int(count)) for s in there]
        row = [f'{int(count):,}', *(significant(values[s]) for s in there), *each]
        lines_.append(row + ([ratio(values[there[0]], values[there[1]])] if len(there) > 1 else []))
    return table(head, lines_)


def bytes_for_each(mib, without, count):
    if not count:
        return ''
    return significant(None if mib is None else (mib - without) * MIB / count)
