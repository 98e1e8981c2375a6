"""An ensemble whose members reach each other only through a proxy that can be told to break links."""
import json
import pathlib
import re
import subprocess
import sys

import ensembles
import harness
import rawclient

TICK_MILLISECONDS = 500
SETTINGS = (f'tickTime={TICK_MILLISECONDS}', 'initLimit=10', 'syncLimit=4', 'minSessionTimeout=1000',
            'maxSessionTimeout=60000', 'preAllocSize=256', 'snapCount=3000', 'autopurge.purgeInterval=0',
            'cnxTimeout=1000')
CRASH = re.compile(r'Fatal error|precondition|crashed|Illegal instruction|Segmentation', re.IGNORECASE)
# Apache calls errors unrecoverable that it recovers from by another election.
APACHE_CRASH = re.compile(r'OutOfMemoryError|StackOverflowError|SIGSEGV')
MOST_SECONDS_TO_END = 20.0


class ManyPorts:
    """Ports for more than one block of `ensembles.Ports` has."""

    def __init__(self):
        self.blocks = [ensembles.Ports()]

    def next(self):
        if not self.blocks[-1].free:
            self.blocks.append(ensembles.Ports())
        return self.blocks[-1].next()

    def give_back(self):
        for block in self.blocks:
            block.give_back()


class Proxy:
    """The process of torture_proxy.py."""

    def __init__(self, listeners, log):
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name('torture_proxy.py'))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, 'ab'), text=True)
        self.exchange(listeners)

    def exchange(self, message):
        self.process.stdin.write(json.dumps(message) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise harness.StartRefused('the proxy between the members ended; see proxy.log')
        return json.loads(line)

    def order(self, name, flows=None, *more):
        return self.exchange([name] if flows is None else [name, flows, *more])

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class TorturedEnsemble(ensembles.Ensemble):
    """Every member has a zoo.cfg of its own: in its own line are its real ports, and in the others'
    lines those at which the proxy takes connections from it."""

    def __init__(self, kinds, settings=(), directory=None):
        self.owned = directory is None
        self.directory = pathlib.Path(directory or harness.tempfile.mkdtemp(prefix='aviary-torture-'))
        self.ports = ManyPorts()
        self.observers = frozenset()
        identities = range(1, len(kinds) + 1)
        own = {n: (self.ports.next(), self.ports.next()) for n in identities}
        pairs = [(a, b) for a in identities for b in identities if a != b]
        to = {pair: (self.ports.next(), self.ports.next()) for pair in pairs}
        listeners = []
        for a, b in pairs:
            listeners.append({'from': a, 'to': b, 'port': to[a, b][0], 'target': own[b][0]})
            listeners.append({'from': a, 'to': b, 'port': to[a, b][1], 'target': own[b][1],
                              'connectBack': to[b, a][1]})
        self.proxy = Proxy(listeners, self.directory / 'proxy.log')
        self.members = []
        for n, kind in enumerate(kinds, 1):
            lines = []
            for other in identities:
                quorum, election = own[n] if other == n else to[n, other]
                lines.append(f'server.{other}=127.0.0.1:{quorum}:{election}:participant')
            self.members.append(TorturedMember(self, n, kind, (*SETTINGS, *settings, *lines)))

    def stop(self):
        self.proxy.stop()
        super().stop()

    def flows(self, pairs):
        """Both directions of each pair."""
        return [list(flow) for a, b in pairs for flow in ((a, b), (b, a))]


class TorturedMember(ensembles.Member):

    expected_dead = True
    is_paused = False
    # What was wrong with an orderly end.
    ended_badly = ''

    def spawn(self):
        if self.is_running:
            self.end_in_time()
        self.expected_dead = self.is_paused = False
        super().spawn()

    def kill(self):
        self.expected_dead = True
        super().kill()

    def pause(self):
        self.is_paused = True
        super().pause()

    def go_on(self):
        self.is_paused = False
        super().go_on()

    def ask_to_end(self):
        self.expected_dead = True
        self.process.terminate()

    def end_in_time(self):
        """After `ask_to_end`."""
        try:
            code = self.process.wait(MOST_SECONDS_TO_END)
            # Java ends with 128 and the signal's number.
            if code != (143 if self.kind == ensembles.APACHE else 0):
                self.ended_badly = f'member {self.identity} ended with code {code} after SIGTERM'
        except subprocess.TimeoutExpired:
            self.ended_badly = (f'member {self.identity} runs {MOST_SECONDS_TO_END} s after SIGTERM')
            super().kill()

    def ended_by_itself(self):
        return not self.expected_dead and self.process is not None and self.process.poll() is not None

    def megabytes(self, name='VmRSS'):
        try:
            status = pathlib.Path(f'/proc/{self.process.pid}/status').read_text()
        except OSError:
            return 0.0
        found = re.search(rf'{name}:\s+(\d+) kB', status)
        return int(found[1]) / 1024 if found else 0.0

    def crashes(self):
        """The lines of its output that tell of a crash."""
        wanted = APACHE_CRASH if self.kind == ensembles.APACHE else CRASH
        return [line for line in self.log_text().splitlines() if wanted.search(line)]

    def try_words(self, word, seconds=1.0):
        """Like Member's, but soon: a member may be stopped."""
        try:
            with rawclient.socket.create_connection(self.address, seconds) as connection:
                connection.sendall(word.encode())
                answer = b''
                while chunk := connection.recv(65536):
                    answer += chunk
            return answer.decode()
        except OSError:
            return ''

    def field(self, name, pattern):
        found = re.search(f'{name}: {pattern}', self.try_words('srvr'))
        return found and found[1]
