"""Throughput and latency against the number of connections, each with one request in flight."""

COUNTS = (1, 4, 16, 64, 256, 1000)
WORKLOADS = ('get', 'set')


def measure(bench, topology):
    counts = bench.pick(COUNTS, (1, 16, 256))
    cases = {f'{workload} {count}': ['-w', workload, '-c', str(count), '-d', '1']
             for workload in WORKLOADS for count in counts}
    rows = bench.compare(topology, cases, f'connections, {topology}', with_floor=True)
    return {workload: {str(count): rows[f'{workload} {count}'] for count in counts} for workload in WORKLOADS}
