"""Tables 1 to 3 of the paper, in its shape, for each server."""
from ..load import median
from ..plot import lines
from .tables import name, points, ratio, servers, significant, table, times

MAGNITUDE = {'100': '100 % reads', '0': '0 % reads'}


def saturation(document, plots):
    """Results are {servers in the ensemble: {share of reads: {server: rows}}}."""
    found = document['results']
    by_share = {share: {size: rows[share] for size, rows in found.items()} for share in MAGNITUDE}
    title = 'Saturated throughput against the size of the ensemble'
    panels = [curves(MAGNITUDE[share], 'servers', by_size, 'ops_per_s', 'operations a second')
              for share, by_size in by_share.items()]
    there = servers(by_share['100'])
    head = ['servers', *(f'{name(s)}, {MAGNITUDE[share]}' for s in there for share in MAGNITUDE),
            *(f'× {MAGNITUDE[share]}' for share in MAGNITUDE)]
    rows = []
    for size in sorted(found, key=int, reverse=True):
        values = {(s, share): median(by_share[share][size].get(s), 'ops_per_s') for s in there for share in MAGNITUDE}
        rows.append([size, *map(significant, values.values()),
                     *(ratio(*(values[s, share] for s in there[:2])) for share in MAGNITUDE)])
    return [times(document) + '; operations a second.', plots.plot('saturation', title, lines.plot(title, panels)),
            table(head, rows)]


def curves(title, x_name, by_x, key, unit):
    x = lines.Axis(x_name, ticks=tuple(float(value) for value in by_x))
    return lines.Panel(title, x, lines.Axis(unit, True), {s: points(by_x, s, key) for s in servers(by_x)})


def creates(document, plots):
    """Results are {servers in the ensemble: {workers: {server: rows}}}."""
    found = document['results']
    panels = [curves(f'{size} servers', 'workers', by_workers, 'ops_per_s', 'creates a second')
              for size, by_workers in found.items()]
    there = servers(next(iter(found.values())))
    head = ['workers', *(f'{name(s)}, {size} servers' for s in there for size in found),
            *(f'× {size} servers' for size in found)]
    rows = []
    for workers in next(iter(found.values())):
        values = {(s, size): median(found[size][workers].get(s), 'ops_per_s') for s in there for size in found}
        rows.append([workers, *map(significant, values.values()),
                     *(ratio(*(values[s, size] for s in there[:2])) for size in found)])
    title = 'Creates of 1 KiB against workers'
    return [times(document) + '; creates a second.',
            plots.plot('creates', title, lines.plot(title, panels, shares_y=True)), table(head, rows),
            alone(found, there)]


def alone(found, there):
    """The latency of a create, as the paper derives it from one worker."""
    said = [f'{name(s)} {significant(milliseconds)} ms' for s in there
            if (milliseconds := one_worker(found, s)) is not None]
    size = next(iter(found))
    return f'Median latency of a create with one worker and {size} servers: {", ".join(said)}.'


def one_worker(found, server):
    value = median(next(iter(found.values())).get('1', {}).get(server), 'p50_us')
    return None if value is None else value / 1000


def barriers(document, plots):
    """Results are {clients: {barriers: {server: rows}}}."""
    found = document['results']
    panels = [curves(f'{clients} clients', 'barriers', rows, 'seconds', 'seconds') for clients, rows in found.items()]
    there = servers(next(iter(found.values())))
    head = ['barriers', *(f'{name(s)}, {clients} clients' for s in there for clients in found),
            *(f'× {clients} clients' for clients in found)]
    rows = []
    for count in next(iter(found.values())):
        values = {(s, clients): median(found[clients][count].get(s), 'seconds') for s in there for clients in found}
        rows.append([count, *map(significant, values.values()),
                     *(ratio(*(values[s, clients] for s in there[:2])) for clients in found)])
    title = 'Seconds to enter and leave double barriers'
    return ['Seconds, one round.', plots.plot('barriers', title, lines.plot(title, panels, shares_y=True)),
            table(head, rows), rate(found, there)]


def rate(found, there):
    """As the paper gives it: barrier and ZooKeeper operations a second, over all cells."""
    said = []
    for server in there:
        good = [(int(clients) * int(count) * 2, rows[server][0]) for clients, by_count in found.items()
                for count, rows in by_count.items() if 'failed' not in rows[server][0]]
        seconds = sum(row['seconds'] for _, row in good)
        if not good or not seconds:
            continue
        operations = sum(row['operations'] for _, row in good)
        reads = sum(row['reads'] for _, row in good) / operations * 100
        said.append(f'{name(server)} {significant(sum(n for n, _ in good) / seconds)} barrier operations a second, '
                    f'which are {significant(operations / seconds)} of ZooKeeper, {reads:.0f} % reads')
    return 'Over the whole table: ' + '; '.join(said) + '.' if said else None
