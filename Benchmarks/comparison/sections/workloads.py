"""Each kind of operation: throughput, latency and CPU time."""

WORKLOADS = {
    'get': '-w get -c 16 -d 32',
    'exists': '-w exists -c 16 -d 32',
    'children': '-w children -c 16 -d 32',
    'get-1by1': '-w get -c 64 -d 1',
    'get-latency': '-w get -c 1 -d 1',
    'set': '-w set -c 16 -d 32',
    'set-1by1': '-w set -c 64 -d 1',
    'set-latency': '-w set -c 1 -d 1',
    'create': '-w create -c 16 -d 32',
    'ephemeral': '-w ephemeral -c 16 -d 32',
    'mixed-90': '-w mixed -r 90 -c 16 -d 32',
    'multi-10': '-w multi -m 10 -c 16 -d 4',
    'watch-100': '-w watch -c 100',
    'connect': '-w connect -c 16',
    'get-1000conns': '-w get -c 1000 -d 2',
}


def cases(names=()):
    return {name: WORKLOADS[name].split() for name in names or WORKLOADS}


def measure(bench, topology, names=()):
    return bench.compare(topology, cases(names), f'workloads, {topology}', with_floor=True)
