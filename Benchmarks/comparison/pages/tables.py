"""Numbers as text, and tables in Markdown."""
from ..load import median
from ..plot.svg import NAMES

MISSING = '-'


def significant(value, digits=3):
    """With thousands separators, and three digits where it has fewer before the point."""
    if value is None:
        return MISSING
    if abs(value) >= 100:
        return f'{value:,.0f}'
    if value == 0:
        return '0'
    return f'{value:.{digits}g}'


def ratio(a, b):
    return MISSING if a is None or not b else significant(a / b)


def name(server):
    return {'apache': 'Apache', 'floor': 'kernel'}.get(server, NAMES.get(server, server))


def table(head, rows):
    return '\n'.join('| ' + ' | '.join(map(str, row)) + ' |' for row in [head, ['---'] * len(head), *rows])


def servers(rows_by_case):
    """Those that were measured, in the order of the columns."""
    return list(dict.fromkeys(server for rows in rows_by_case.values() for server in rows))


def medians(rows_by_server, key):
    return {server: median(rows, key) for server, rows in rows_by_server.items()}


def points(rows_by_x, server, key, unit=1.0):
    """For a curve: x and the median of a key, where there is one."""
    found = [(float(x), median(rows.get(server), key)) for x, rows in rows_by_x.items()]
    return [(x, y * unit) for x, y in found if y is not None]


def rounds(count):
    return 'one round' if count == 1 else f'{count} rounds'


def times(document):
    return f'Medians of {rounds(document["rounds"])} of {document["seconds"]:g} s'


def topology(unit):
    return 'a server by itself' if unit.endswith('single') else 'an ensemble of three'
