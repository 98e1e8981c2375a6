"""The time from the start of the process to the first answer, against the size of the tree."""
from .storage import Stored

SIZES = (10_000, 100_000, 1_000_000)


def start_empty(bench, name):
    with bench.folder('start') as folder:
        server = Stored(bench, name, folder)
        try:
            seconds = server.start()
            return {'seconds': round(seconds, 4), 'rss_mb': round(server.member.memory(), 2)}
        finally:
            server.ensemble.kill()


def start_from(server, kind):
    if kind == 'logs':
        server.forget_snapshots()
    seconds = server.start()
    # Apache writes one before it serves, Aviary after that; the next start is to find it whole.
    server.wait_for_snapshot()
    row = {'seconds': round(seconds, 4), 'rss_mb': round(server.member.memory(), 2)}
    server.stop()
    return row


def measure_size(bench, size, folder):
    servers = {name: Stored(bench, name, folder) for name in bench.servers}
    found = {kind: {name: [] for name in servers} for kind in ('logs', 'snapshot')}
    try:
        for server in servers.values():
            server.fill(bench, size)
        for kind, rows in found.items():
            for number in range(bench.few_rounds):
                for name in list(servers)[::1 if number % 2 else -1]:
                    rows[name].append(start_from(servers[name], kind))
    finally:
        for server in servers.values():
            server.ensemble.kill()
    return found


def measure(bench, _topology):
    """Seconds and MiB of every round by size, by what was read, and by server."""
    empty = {name: [] for name in bench.servers}
    for number in range(bench.few_rounds):
        for name in list(empty)[::1 if number % 2 else -1]:
            empty[name].append(start_empty(bench, name))
    found = {'0': {'snapshot': empty}}
    bench.say('start: empty trees done')
    for size in bench.pick(SIZES, (1_000, 10_000)):
        with bench.folder('start') as folder:
            found[str(size)] = measure_size(bench, size, folder)
        bench.say(f'start: trees of {size:,} nodes done')
    return found
