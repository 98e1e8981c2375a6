"""The longest time that a pinging client waits while the server has something large to do."""
import subprocess
import threading
import time

from ..load import outcome
from ..wire import Client
from .storage import HEAP, LONGEST_SNAPSHOT_SECONDS, OFTEN, Stored

NODES, STORM, CHILDREN = 1_000_000, 5_000, 100_000
BETWEEN_WRITES_SECONDS = 0.005
# Longer than any of what it accompanies; it is ended before.
LONGEST_PING_SECONDS = 600


class Pinger:
    """A client that pings a millisecond after each reply, in a process of its own."""

    def __init__(self, bench, ensemble):
        self.process = subprocess.Popen(
            [bench.tools.path('zkload'), '-a', ensemble.target, '-p', ensemble.pids, '-w', 'ping', '-y',
             '-u', '0', '-t', str(LONGEST_PING_SECONDS)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stderr.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        said = self.process.communicate(timeout=30)
        return outcome(subprocess.CompletedProcess([], self.process.returncode, *said))


class Writer(threading.Thread):
    """A write of a KiB now and then, so that the log grows and a snapshot becomes due."""

    def __init__(self, ensemble):
        super().__init__(daemon=True)
        self.client = Client(ensemble.ports, patience=60)
        self.client.connect()
        self.client.create('/written')
        self.over = threading.Event()
        self.written = 0

    def run(self):
        while not self.over.wait(BETWEEN_WRITES_SECONDS):
            self.client.set_data('/written', bytes(1024))
            self.written += 1

    def stop(self):
        self.over.set()
        self.join()
        self.client.close_session()


def at_rest(bench, ensemble):
    with Pinger(bench, ensemble) as pinger:
        time.sleep(bench.seconds)
        return pinger.stop()


def beside_load(bench, ensemble, *words):
    """Pings while zkload does something, from when it is prepared."""
    command = [bench.tools.path('zkload'), '-a', ensemble.target, '-p', ensemble.pids, *map(str, words),
               '-y', '-u', '0.5', '-t', str(bench.seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as load:
        said = load.stderr.readline()
        if said != 'ready\n':
            load.kill()
            return {'failed': said.strip()}
        with Pinger(bench, ensemble) as pinger:
            line = load.stdout.readline()
            row = pinger.stop()
        load.communicate(timeout=60)
    done = outcome(subprocess.CompletedProcess(command, load.returncode, line, 'the load said nothing'))
    return row | {'load_ops_per_s': done.get('ops_per_s'), 'load_p99_us': done.get('p99_us')} \
        if 'failed' not in done else done


def beside_snapshot(bench, server):
    """Pings until a snapshot was begun and ended: Apache's is there by name from its beginning."""
    before, seen = server.snapshots(), set()
    writer = Writer(server.ensemble)
    with Pinger(bench, server.ensemble) as pinger:
        began = time.monotonic()
        writer.start()
        while len(seen) < 2 and time.monotonic() < began + LONGEST_SNAPSHOT_SECONDS:
            time.sleep(0.02)
            seen |= server.snapshots() - before
        writer.stop()
        row = pinger.stop()
    if len(seen) < 2:
        return {'failed': f'no snapshot was written within {LONGEST_SNAPSHOT_SECONDS} s'}
    return row | {'during_seconds': round(time.monotonic() - began, 2)}


def measure_small(bench, name):
    """What needs no large tree, on one server."""
    storm, children = bench.pick((STORM, CHILDREN), (500, 5_000))
    with bench.folder('gaps') as folder, bench.ensemble(name, bench.servers[name], 1, folder, heap=HEAP) as ensemble:
        return {'rest': at_rest(bench, ensemble),
                'listing': beside_load(bench, ensemble, '-w', 'listing', '-n', children, '-c', 1, '-d', 1),
                'storm': beside_load(bench, ensemble, '-w', 'storm', '-c', storm)}


def measure(bench, _topology):
    """Rows of the pinging client by disturbance and server, one for each round."""
    sizes = bench.pick((NODES, STORM, CHILDREN), (20_000, 500, 5_000))
    found = {what: {name: [] for name in bench.servers} for what in ('rest', 'snapshot', 'storm', 'listing')}
    with bench.folder('gaps') as folder:
        stored = {name: Stored(bench, name, folder) for name in bench.servers}
        for server in stored.values():
            server.fill(bench, sizes[0])
            bench.say(f'gaps: {server.name} has {sizes[0]:,} nodes')
        for number in range(1, bench.few_rounds + 1):
            for name in list(stored)[::1 if number % 2 else -1]:
                measure_round(bench, name, stored[name], found)
            bench.say(f'gaps: round {number} of {bench.few_rounds} done')
    return {'nodes': sizes[0], 'storm': sizes[1], 'children': sizes[2], 'gaps': found}


def measure_round(bench, name, server, found):
    for what, row in measure_small(bench, name).items():
        found[what][name].append(row)
    try:
        server.start(OFTEN)
        server.wait_for_snapshot()
        found['snapshot'][name].append(beside_snapshot(bench, server))
    finally:
        server.ensemble.kill()
