"""The time to the first answer."""
from ..plot import lines
from ..load import median
from .tables import name, ratio, rounds, significant, table

KINDS = {'snapshot': 'from a snapshot', 'logs': 'from logs alone'}


def part(document, plots):
    found = document['results']
    count = len(next(iter(found['0']['snapshot'].values())))
    return [f'Seconds from the start of the process to the first answer to a getData, page cache warm; medians of '
            f'{rounds(count)}. Apache with `-Xmx4g`.', picture(document, plots), listing(found)]


def picture(document, plots):
    found = document['results']
    there = list(found['0']['snapshot'])
    panels = []
    for kind, title in KINDS.items():
        rows = {size: by_kind.get(kind) or by_kind['snapshot'] for size, by_kind in found.items()}
        curves = {s: [(float(size), median(row[s], 'seconds')) for size, row in rows.items()] for s in there}
        x = lines.Axis('nodes of 100 bytes', True, tuple(float(size) for size in found))
        panels.append(lines.Panel(title, x, lines.Axis('seconds', True), curves))
    title = 'Time from start to the first answer'
    return plots.plot('start', title, lines.plot(title, panels, shares_y=True))


def listing(found):
    there = list(found['0']['snapshot'])
    head = ['nodes', 'from', *(f'{name(s)} s' for s in there), '× time', *(f'{name(s)} MiB then' for s in there)]
    rows = []
    for size, by_kind in found.items():
        for kind, by_server in by_kind.items():
            seconds = [median(by_server[s], 'seconds') for s in there]
            memory = [median(by_server[s], 'rss_mb') for s in there]
            rows.append([f'{int(size):,}', {'snapshot': 'a snapshot'}.get(kind, kind) if int(size) else 'nothing',
                         *map(significant, seconds), ratio(*seconds[:2]) if len(there) > 1 else '',
                         *map(significant, memory)])
    return table(head, rows)
