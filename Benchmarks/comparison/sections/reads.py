"""Throughput and latency against the share of reads."""

SHARES = (0, 25, 50, 75, 90, 100)


def measure(bench, topology):
    shares = bench.pick(SHARES, (0, 50, 100))
    cases = {str(share): ['-w', 'mixed', '-r', str(share), '-c', '16', '-d', '32'] for share in shares}
    return bench.compare(topology, cases, f'reads, {topology}', with_floor=True)
