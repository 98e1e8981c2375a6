"""The table of workloads, and how many times better each is."""
from ..plot import rows as row_plot
from .tables import medians, name, ratio, servers, significant, table, times, topology

KEYS = {'ops_per_s': 'op/s', 'p99_us': 'p99 µs', 'cpu_us_per_op': 'CPU µs'}
LABELS = {'ops_per_s': 'operations a second', 'p99_us': 'p99, inverse', 'cpu_us_per_op': 'CPU an operation, inverse'}


def part(document, plots):
    found = document['results']
    there = servers(found)
    return [settings(document), listing(found, there), picture(document, there, plots)]


def settings(document):
    return times(document) + '.' if 'rounds' in document else None


def columns(there):
    """The floor has only its CPU time."""
    return [(s, key) for s in there for key in KEYS if s != 'floor' or key == 'cpu_us_per_op']


def listing(found, there):
    head = ['workload', *(f'{name(s)} {KEYS[key]}' for s, key in columns(there))]
    compared = [s for s in there if s != 'floor'][:2]
    if len(compared) == 2:
        head += ['× throughput', '× p99', '× CPU']
    lines = []
    for workload, rows in found.items():
        values = {key: medians(rows, key) for key in KEYS}
        line = [workload, *(significant(values[key].get(s)) for s, key in columns(there))]
        if len(compared) == 2:
            line += [ratio(values[key].get(compared[0]), values[key].get(compared[1])) for key in KEYS]
        lines.append(line)
    return table(head, lines)


def picture(document, there, plots):
    """Each as a number that is above one where the first server is better."""
    compared = [s for s in there if s != 'floor'][:2]
    if len(compared) < 2:
        return None
    rows = {workload: times_better(rows, *compared) for workload, rows in document['results'].items()}
    title = f'{name(compared[0])} beside {name(compared[1])}, {topology(document["unit"])}'
    svg = row_plot.plot(title, f'times better than {name(compared[1])}', rows, LABELS, at_one=True)
    return plots.plot(document['unit'], title, svg)


def times_better(rows, first, second):
    found = {}
    for key in KEYS:
        values = medians(rows, key)
        a, b = values.get(first), values.get(second)
        if a and b:
            found[key] = [a / b if key == 'ops_per_s' else b / a]
    return found
