"""How long an ensemble of three takes no writes after a fault of its leader.

A client with one session writes every 5 ms through whichever server answers, and keeps the session
when it moves. The gap is the longest time between two acknowledged writes around the fault. In the
end every server left must hold every acknowledged write.
"""
import signal
import threading
import time

from ..servers import Failed
from ..wire import NODE_EXISTS, Client, ask

FAULTS = {'kill': signal.SIGKILL, 'freeze': signal.SIGSTOP}
BETWEEN_WRITES_SECONDS = 0.005
BEFORE_THE_FAULT_SECONDS = 2
AFTER_SECONDS = {'kill': 8, 'freeze': 20}
LONGEST_CHECK_SECONDS = 60


class Writer(threading.Thread):
    def __init__(self, ports):
        super().__init__(daemon=True)
        self.client, self.acknowledged, self.over = Client(ports), [], threading.Event()
        self.base = f'/failover-{time.time_ns()}'

    def path(self, number):
        return f'{self.base}-{number}'

    def run(self):
        while not self.over.is_set():
            try:
                self.write()
            except OSError:
                self.client.drop()
            time.sleep(BETWEEN_WRITES_SECONDS)

    def write(self):
        if not self.client.sock:
            self.client.connect()
        number = len(self.acknowledged)
        error = self.client.create(self.path(number))
        # That it exists says that the write before the cut had landed.
        if error not in (0, NODE_EXISTS):
            raise OSError(f'error {error}')
        self.acknowledged.append(time.monotonic())

    def stop(self):
        self.over.set()
        self.join(5)

    def gap(self, fault_at):
        pairs = zip(self.acknowledged, self.acknowledged[1:])
        return max((after - before for before, after in pairs if after > fault_at), default=None)


def missing_at(port, writer):
    """How many acknowledged writes a server does not have, once it serves."""
    client, end = Client([port], patience=5), time.monotonic() + LONGEST_CHECK_SECONDS
    while True:
        try:
            client.connect()
            client.sync()
            return sum(client.exists(writer.path(n)) != 0 for n in range(len(writer.acknowledged)))
        except OSError as error:
            if time.monotonic() > end:
                raise Failed(f'a server that was left serves nobody: {error}') from error
            client.drop()
            time.sleep(0.1)


def one_round(ensemble, fault):
    """A row; the ensemble is of no more use afterwards."""
    writer = Writer(ensemble.ports)
    writer.start()
    time.sleep(BEFORE_THE_FAULT_SECONDS)
    leader = next((m for m in ensemble.members if 'Mode: leader' in ask(m.port, b'srvr')), None)
    if leader is None:
        raise Failed(f'{ensemble.name} has no leader')
    at = time.monotonic()
    leader.process.send_signal(FAULTS[fault])
    time.sleep(AFTER_SECONDS[fault])
    writer.stop()
    missing = sum(missing_at(m.port, writer) for m in ensemble.members if m is not leader)
    if fault == 'freeze':
        leader.process.send_signal(signal.SIGCONT)
    gap = writer.gap(at)
    row = {'gap_ms': round(gap * 1000, 1)} if gap else {'failed': 'no write was acknowledged after the fault'}
    return row | {'session_kept': not writer.client.expired, 'lost_writes': missing,
                  'writes': len(writer.acknowledged)}


def measure(bench, _topology):
    """Rows of every round by fault and server."""
    rounds = bench.pick(bench.rounds, 1)
    found = {fault: {name: [] for name in bench.servers} for fault in FAULTS}
    for number in range(1, rounds + 1):
        for fault, rows in found.items():
            for name in list(rows)[::1 if number % 2 else -1]:
                with bench.folder('failover') as folder, \
                        bench.ensemble(name, bench.servers[name], 3, folder) as ensemble:
                    rows[name].append(one_round(ensemble, fault))
        bench.say(f'failover: round {number} of {rounds} done')
    return found
