"""Throughput and latency against the share of reads."""
from ..plot import lines
from .connections import LATENCIES
from .tables import medians, name, points, ratio, servers, significant, table, times, topology


def part(document, plots):
    return [times(document) + ', 16 connections with 32 requests in flight on each.',
            picture(document, plots), listing(document['results'])]


def picture(document, plots):
    by_share = document['results']
    x = lines.Axis('reads, per cent', ticks=tuple(float(share) for share in by_share))
    wanted = {'ops_per_s': ('throughput', 'operations a second'), 'p99_us': ('p99', 'microseconds')}
    panels = [lines.Panel(title, x, lines.Axis(unit, True), {s: points(by_share, s, key) for s in servers(by_share)})
              for key, (title, unit) in wanted.items()]
    title = f'Against the share of reads, {topology(document["unit"])}'
    return plots.plot(document['unit'], title, lines.plot(title, panels))


def listing(by_share):
    there = servers(by_share)
    keys = {'ops_per_s': 'op/s', **LATENCIES}
    compared = [s for s in there if s != 'floor'][:2]
    head = ['reads', *(f'{name(s)} {label}' for s in there for label in keys.values())]
    head += ['× throughput'] if len(compared) == 2 else []
    rows = []
    for share, by_server in by_share.items():
        values = {key: medians(by_server, key) for key in keys}
        row = [f'{share} %', *(significant(values[key].get(s)) for s in there for key in keys)]
        if len(compared) == 2:
            row.append(ratio(*(values['ops_per_s'].get(s) for s in compared)))
        rows.append(row)
    return table(head, rows)
