"""The longest waits of a pinging client."""
from ..plot import rows as row_plot
from .tables import name, rounds, significant, table


def part(document, plots):
    results = document['results']
    labels = {'rest': 'at rest', 'snapshot': f'snapshot of {results["nodes"]:,} nodes',
              'storm': f'storms of {results["storm"]:,} reconnects',
              'listing': f'listing {results["children"]:,} children'}
    found = {labels[what]: rows for what, rows in results['gaps'].items()}
    count = len(next(iter(results['gaps']['rest'].values())))
    return [f'Milliseconds between two replies to a client that pings a millisecond after each reply; the longest of '
            f'{rounds(count)}, and the longest and the 99.9th percentile of the middle round.',
            picture(found, plots), listing(found)]


def longest(rows):
    return sorted(row['max_us'] / 1000 for row in rows if 'failed' not in row)


def picture(found, plots):
    marks = {what: {s: longest(rows) for s, rows in by_server.items()} for what, by_server in found.items()}
    labels = {s: name(s) for by_server in found.values() for s in by_server}
    title = 'The longest gap between two replies to a pinging client, each round'
    return plots.plot('gaps', title, row_plot.plot(title, 'milliseconds', marks, labels))


def listing(found):
    there = list(next(iter(found.values())))
    head = ['while', *(f'{name(s)} {what}' for s in there for what in ('longest', 'middle', 'p99.9'))]
    rows = []
    for what, by_server in found.items():
        cells = []
        for server in there:
            good = [row for row in by_server[server] if 'failed' not in row]
            gaps = longest(good)
            middle = gaps[len(gaps) // 2] if gaps else None
            p999 = sorted(row['p999_us'] / 1000 for row in good)
            cells += [gaps[-1] if gaps else None, middle, p999[len(p999) // 2] if p999 else None]
        rows.append([what, *map(significant, cells)])
    return table(head, rows)
