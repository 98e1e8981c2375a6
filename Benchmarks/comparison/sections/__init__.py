"""The units, in the order of the page: how each is measured.

A module's measure(bench, topology) gives plain data, which JSON can hold; keys are strings.
"""
from . import connections, failover, gaps, memory, paper, reads, start, workloads

# name: (section, topology, what measures it)
UNITS = {
    'workloads-single': ('workloads', 'single', workloads.measure),
    'workloads-ensemble': ('workloads', 'ensemble', workloads.measure),
    'connections-single': ('connections', 'single', connections.measure),
    'connections-ensemble': ('connections', 'ensemble', connections.measure),
    'reads-single': ('reads', 'single', reads.measure),
    'reads-ensemble': ('reads', 'ensemble', reads.measure),
    'memory': ('memory', 'single', memory.measure),
    'start': ('start', 'single', start.measure),
    'gaps': ('gaps', 'single', gaps.measure),
    'failover': ('failover', 'ensemble', failover.measure),
    'saturation': ('paper', 'ensemble', paper.measure_saturation),
    'creates': ('paper', 'ensemble', paper.measure_creates),
    'barriers': ('paper', 'ensemble', paper.measure_barriers),
}
SECTIONS = list(dict.fromkeys(section for section, _, _ in UNITS.values()))
