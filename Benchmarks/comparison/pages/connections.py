"""Throughput and latency against the number of connections."""
from ..plot import lines
from .tables import medians, name, points, ratio, servers, significant, table, times, topology

LATENCIES = {'p50_us': 'p50', 'p99_us': 'p99', 'p999_us': 'p99.9'}
CONNECTIONS = 'connections'


def part(document, plots):
    found = document['results']
    paragraphs = [times(document) + ', one request in flight on each connection.',
                  throughput(document, plots)]
    for workload, by_count in found.items():
        paragraphs += [latency(document, workload, plots), f'`{workload}`, latencies in µs:', listing(by_count)]
    return paragraphs


def x_axis(by_count):
    return lines.Axis(CONNECTIONS, True, tuple(float(count) for count in by_count))


def throughput(document, plots):
    panels = [lines.Panel(workload, x_axis(by_count), lines.Axis('operations a second', True),
                          {s: points(by_count, s, 'ops_per_s') for s in servers(by_count)})
              for workload, by_count in document['results'].items()]
    title = f'Throughput against connections, {topology(document["unit"])}'
    return plots.plot(f'{document["unit"]}-throughput', title, lines.plot(title, panels, shares_y=True))


def latency(document, workload, plots):
    by_count = document['results'][workload]
    panels = [lines.Panel(label, x_axis(by_count), lines.Axis('microseconds', True),
                          {s: points(by_count, s, key) for s in servers(by_count)})
              for key, label in LATENCIES.items()]
    title = f'Latency of {workload} against connections, {topology(document["unit"])}'
    return plots.plot(f'{document["unit"]}-{workload}-latency', title, lines.plot(title, panels, shares_y=True))


def listing(by_count):
    there = servers(by_count)
    keys = {'ops_per_s': 'op/s', **LATENCIES}
    head = [CONNECTIONS, *(f'{name(s)} {label}' for s in there for label in keys.values())]
    compared = [s for s in there if s != 'floor'][:2]
    head += ['× throughput', '× p99'] if len(compared) == 2 else []
    rows = []
    for count, by_server in by_count.items():
        values = {key: medians(by_server, key) for key in keys}
        row = [f'{int(count):,}', *(significant(values[key].get(s)) for s in there for key in keys)]
        if len(compared) == 2:
            row += [ratio(*(values[key].get(s) for s in compared)) for key in ('ops_per_s', 'p99_us')]
        rows.append(row)
    return table(head, rows)
