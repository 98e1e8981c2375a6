"""Servers and ensembles of them, started from a zoo.cfg that is written here."""
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import time

from .wire import Client, ask

APACHE_JARS = '/etc/zookeeper/conf:/usr/share/java/zookeeper.jar:/usr/share/zookeeper/*:/usr/share/java/*'
APACHE = f'java -Xmx{{heap}} -cp {APACHE_JARS} org.apache.zookeeper.server.quorum.QuorumPeerMain {{cfg}}'
SETTINGS = ('tickTime=2000', 'initLimit=10', 'syncLimit=5', 'clientPortAddress=127.0.0.1',
            'admin.enableServer=false', 'maxClientCnxns=0', '4lw.commands.whitelist=*')
LONGEST_START_SECONDS = 60
LONGEST_STOP_SECONDS = 30
BETWEEN_TRIES_SECONDS = 0.002


class Failed(Exception):
    """Something could not be measured; the words say what happened."""


class Ports:
    """Free ports of a range, each given once until all were.

    A range that the system gives to clients too, /proc/sys/net/ipv4/ip_local_port_range, may lose a port
    to one of them before the server has it.
    """

    def __init__(self, first=20000, last=29999):
        self.first, self.last, self.next = first, last, first

    def take(self, count):
        found = []
        for _ in range(self.last - self.first + 1):
            if len(found) == count:
                return found
            port, self.next = self.next, self.next + 1 if self.next < self.last else self.first
            if is_free(port):
                found.append(port)
        raise Failed(f'no {count} free ports from {self.first} to {self.last}; name others with --ports')


def is_free(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(('127.0.0.1', port))
            listener.listen()
        except OSError:
            return False
    return True


def raise_limits():
    """Room for many connections in what is started from here; more than the hard limit only as root."""
    most = 1 << 20
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def patience(elapsed):
    """How long to wait for an answer while a server starts.

    Apache takes connections before it can serve them, and may forget what it was asked then: so ask
    again, soon enough not to spoil the time of a start, and late enough for a server that is slow.
    """
    return max(0.1, 0.15 * elapsed)


class Member:
    """One server of an ensemble, or one by itself; it can be stopped and started again."""

    def __init__(self, name, command, directory, port):
        self.name, self.directory, self.port = name, directory, port
        self.data = os.path.join(directory, 'data')
        self.cfg = os.path.join(directory, 'zoo.cfg')
        self.log = os.path.join(directory, 'log')
        self.words = shlex.split(command.replace('{cfg}', self.cfg).replace('{port}', str(port)))
        if '/' in self.words[0]:  # it runs in a directory of its own
            self.words[0] = os.path.abspath(self.words[0])
        self.process = None
        os.makedirs(self.data, exist_ok=True)

    def configure(self, lines, identity=None):
        with open(self.cfg, 'w') as f:
            f.write('\n'.join([*SETTINGS, f'dataDir={self.data}', f'clientPort={self.port}', *lines]) + '\n')
        if identity is not None:
            with open(os.path.join(self.data, 'myid'), 'w') as f:
                f.write(f'{identity}\n')

    def launch(self):
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.directory, start_new_session=True)

    def wait_until_up(self, limit=LONGEST_START_SECONDS):
        began = time.monotonic()
        while not self.answers(patience(time.monotonic() - began)):
            ended = self.process.poll() is not None
            if ended or time.monotonic() > began + limit:
                how = f'ended with code {self.process.returncode}' if ended else f'did not answer within {limit} s'
                raise Failed(f'{self.name} {how} when it was started; its last words:\n{self.last_words()}')
            time.sleep(BETWEEN_TRIES_SECONDS)

    def answers(self, seconds):
        client = Client([self.port], patience=seconds)
        try:
            client.connect()
            answered = client.get_data('/') == 0
            client.close_session()
            return answered
        except OSError:
            return False
        finally:
            client.drop()

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(LONGEST_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def memory(self, key='VmRSS'):
        """In MiB."""
        with open(f'/proc/{self.process.pid}/status') as f:
            return int(f.read().split(key + ':')[1].split()[0]) / 1024

    def version(self):
        """Its own, where it tells ZooKeeper's too."""
        found = re.search(r'ersion: (?:[0-9.]+-aviary-)?([0-9]+(?:\.[0-9]+)+)', ask(self.port, b'srvr'))
        return found[1] if found else None

    def last_words(self):
        with open(self.log, errors='replace') as f:
            return ''.join(f.readlines()[-8:])


class Ensemble:
    """`size` servers of one kind; started, unless it is told to wait."""

    def __init__(self, name, command, size, directory, settings=(), ports=None, heap='1g', start=True):
        self.name, self.size = name, size
        taken = (ports or Ports()).take(size * 3 if size > 1 else 1)
        command = command.replace('{heap}', heap)
        self.members = [Member(name, command, os.path.join(directory, f'{name}-{i + 1}'), taken[i])
                        for i in range(size)]
        self.peers = [f'server.{i + 1}=127.0.0.1:{taken[size + i]}:{taken[2 * size + i]}'
                      for i in range(size)] if size > 1 else []
        self.configure(settings)
        if start:
            self.start()

    def configure(self, settings):
        for i, member in enumerate(self.members):
            member.configure([*settings, *self.peers], i + 1 if self.peers else None)

    def start(self, limit=LONGEST_START_SECONDS):
        try:
            for member in self.members:
                member.launch()
            for member in self.members:
                member.wait_until_up(limit)
        except BaseException:
            self.kill()
            raise
        return self

    @property
    def ports(self):
        return [member.port for member in self.members]

    @property
    def target(self):
        return ','.join(f'127.0.0.1:{port}' for port in self.ports)

    @property
    def pids(self):
        return ','.join(str(member.process.pid) for member in self.members)

    def version(self):
        return self.members[0].version()

    def stop(self):
        for member in self.members:
            member.stop()

    def kill(self):
        for member in self.members:
            member.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
