"""The shapes of Tables 1 to 3 of "ZooKeeper: Wait-free coordination for Internet-scale systems" (2010)."""
from itertools import product

from ..load import run

SIZES = (3, 5, 7)
VALUE_BYTES = '1024'
# The paper's servers have at most 2,000 requests in process.
THROTTLE = 'globalOutstandingLimit=2000'
CLIENTS, IN_FLIGHT = 250, 100
WORKERS = (1, 10, 20)
BARRIERS, BARRIER_CLIENTS = (200, 400, 800, 1600), (50, 100, 200)
LONGEST_BARRIERS_SECONDS = 1800


def measure_saturation(bench, _topology):
    """Table 1: 250 clients with 100 requests of 1 KiB in flight each, all reads and all writes, by servers."""
    words = ['-c', str(bench.pick(CLIENTS, 50)), '-d', str(IN_FLIGHT), '-s', VALUE_BYTES]
    cases = {'100': ['-w', 'get', *words], '0': ['-w', 'set', *words]}
    return {str(size): bench.compare(size, cases, f'saturation, {size} servers', settings=[THROTTLE])
            for size in bench.pick(SIZES, (3,))}


def measure_creates(bench, _topology):
    """Table 2: workers that create a node of 1 KiB, wait for it, and delete it without waiting, by servers."""
    cases = {str(workers): ['-w', 'create-delete', '-c', str(workers), '-d', '1', '-s', VALUE_BYTES]
             for workers in WORKERS}
    return {str(size): bench.compare(size, cases, f'creates, {size} servers')
            for size in bench.pick(SIZES, (3,))}


def measure_barriers(bench, _topology):
    """Table 3: clients that enter all of the double barriers in turn and then leave all, on three servers.

    A round of the whole table takes many minutes, and each cell is a mean of many barriers: one round.
    """
    found = {}
    with bench.folder('barriers') as folder:
        up = []
        try:
            for name, command in bench.servers.items():
                up.append(bench.ensemble(name, command, 3, folder))
            for ensemble in up:
                pass_barriers(bench, ensemble, *bench.pick((50, 20), (5, 5)))
            order = up
            for clients, barriers in product(bench.pick(BARRIER_CLIENTS, (10, 20)), bench.pick(BARRIERS, (10, 20))):
                rows = {name: [] for name in bench.servers}
                order = order[::-1]
                for ensemble in order:
                    rows[ensemble.name].append(pass_barriers(bench, ensemble, clients, barriers))
                found.setdefault(str(clients), {})[str(barriers)] = rows
                bench.say(f'barriers: {clients} clients, {barriers} barriers done')
        finally:
            for ensemble in up:
                ensemble.kill()
    return found


def pass_barriers(bench, ensemble, clients, barriers):
    words = ['-c', clients, '-n', barriers]
    return run(bench.tools.path('barriers'), ensemble, words, LONGEST_BARRIERS_SECONDS)

