"""Starts a server for the tests of real clients, and runs tests with one line for each.

The command of the server comes from --server or from AVIARY_SERVER; {cfg} in it stands for the
configuration file. `apache` is short for Debian's Apache ZooKeeper.
"""
import atexit
import importlib
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import unittest

import rawclient

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / 'Tests' / 'Fixtures'
JARS = '/usr/share/java/slf4j-simple.jar:/usr/share/java/zookeeper.jar'
# Java before 18 hashes paths in the locale's charset, and the tree's digest would depend on it.
JAVA = f'java -Xmx512m -Dfile.encoding=UTF-8 -cp {JARS}'
APACHE = f'{JAVA} org.apache.zookeeper.server.quorum.QuorumPeerMain {{cfg}}'
DEFAULT = '.build/release/aviary server {cfg}'
SUPER_USER = 'super:secret'
SUPER_DIGEST = 'DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4='
LONGEST_START_SECONDS = 30.0
LONGEST_TEST_SECONDS = 150

BASIC_SETTINGS = ('tickTime=2000', 'clientPortAddress=127.0.0.1', 'admin.enableServer=false',
                  'maxClientCnxns=0', '4lw.commands.whitelist=*')

servers = []


class StartRefused(Exception):
    """The server ended, or did not answer a handshake, within the time given."""


class TooLong(Exception):
    """A test or a wait passed its limit."""


def server_template():
    return os.environ.get('AVIARY_SERVER') or DEFAULT


def is_apache(template=None):
    template = template or server_template()
    return template == 'apache' or 'QuorumPeerMain' in template


def has_apache():
    return shutil.which('java') is not None and all(map(os.path.exists, JARS.split(':')))


def optional(module):
    """The module, or nil when this machine does not have it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def free_port():
    """A port for a server that may be down for a while. It is below those that the system gives to
    clients: a client's connection may have such a port, even one to the server that is down."""
    while True:
        port = random.randrange(10000, 32768)
        with socket.socket() as listener:
            try:
                listener.bind(('', port))
            except OSError:
                continue
            return port


def wait_until(condition, seconds=15.0, what='the condition'):
    """The first true value of `condition()`; raises TooLong after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TooLong(f'{what} did not come true within {seconds} s')
        time.sleep(0.01)


def command_line(template, configuration):
    words = shlex.split(APACHE if template == 'apache' else template)
    words = [word.replace('{cfg}', str(configuration)) for word in words]
    if '/' in words[0]:
        words[0] = str(ROOT / words[0])
    return words


class Server:
    """A server process on a directory of its own, on one port for its whole life."""

    def __init__(self, settings=(), template=None, directory=None, port=None):
        """`settings` are lines of zoo.cfg; `directory` holds data of an earlier server."""
        self.template = template or server_template()
        self.owned = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix='aviary-clients-'))
        self.data = self.directory / 'data'
        self.data.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.address = ('127.0.0.1', self.port)
        self.hosts = f'127.0.0.1:{self.port}'
        self.log = self.directory / f'server-{self.port}.log'
        self.configuration = self.directory / f'zoo-{self.port}.cfg'
        self.process = None
        own = (f'dataDir={self.data}', f'clientPort={self.port}')
        given = {line.partition('=')[0] for line in settings}
        basic = (line for line in BASIC_SETTINGS if line.partition('=')[0] not in given)
        self.configuration.write_text('\n'.join((*basic, *own, *settings)) + '\n')
        servers.append(self)

    def start(self, seconds=LONGEST_START_SECONDS):
        """Starts the process and returns the server once it answers a handshake."""
        self.spawn()
        end = time.monotonic() + seconds
        while not self.answers():
            if self.process.poll() is not None:
                raise StartRefused(f'the server ended with code {self.process.returncode}\n'
                                   + self.log_tail())
            if time.monotonic() > end:
                raise StartRefused(f'no answer to a handshake for {seconds} s\n' + self.log_tail())
            time.sleep(0.01)
        return self

    def spawn(self):
        """Starts the process, and waits for nothing."""
        environment = dict(os.environ, LC_ALL='C.UTF-8')
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                command_line(self.template, self.configuration), cwd=self.directory,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def answers(self):
        """Whether the server answers a handshake. The session is one that cannot exist, so that
        asking costs no transaction."""
        try:
            rawclient.RawClient(self.address, session=(1, bytes(16)), limit=0.5).abandon()
        except rawclient.Refused:
            return True
        except OSError:
            return False
        return True

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def terminate(self, seconds=20.0):
        """Asks the server to stop, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def restart(self):
        """Ends the process without warning and starts it again on its directory."""
        self.kill()
        return self.start()

    def stop(self):
        """Ends the process, and forgets the directory if it is the server's own."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        if self in servers:
            servers.remove(self)
        if self.owned:
            shutil.rmtree(self.directory, ignore_errors=True)

    def words(self, word):
        """The answer to a four letter word."""
        with socket.create_connection(self.address, 5) as connection:
            connection.sendall(word.encode())
            answer = b''
            while chunk := connection.recv(65536):
                answer += chunk
        return answer.decode()

    def client(self, **options):
        return rawclient.RawClient(self.address, **options)

    def log_text(self):
        return self.log.read_text(errors='replace') if self.log.exists() else ''

    def log_tail(self, lines=40):
        text = '\n'.join(self.log_text().splitlines()[-lines:])
        return f'--- last lines of the log of {" ".join(command_line(self.template, "{cfg}"))}\n{text}\n---'


def stop_all():
    for server in list(servers):
        server.stop()


atexit.register(stop_all)


class ServerCase(unittest.TestCase):
    """Tests that share one server, each below a path of its own."""

    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.settings)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def setUp(self):
        self.path = '/' + re.sub(r'[^a-z0-9]+', '-', self.id().split('.')[-1].lower())


class LineResult(unittest.TestResult):
    """Prints a line for every test as it ends."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.failed = 0
        self.omitted = 0
        self.began = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        signal.alarm(LONGEST_TEST_SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    @staticmethod
    def name(test):
        identity = test.id()
        if identity.startswith('setUpClass'):
            return 'every test of ' + identity[len('setUpClass ('):-1].replace(
                '__main__', pathlib.Path(sys.argv[0]).stem)
        return identity.replace('__main__.', pathlib.Path(sys.argv[0]).stem + '.')

    def addSuccess(self, test):
        self.passed += 1
        print(f'PASS {self.name(test)} ({time.monotonic() - self.began:.1f} s)', flush=True)

    def addSkip(self, test, reason):
        self.omitted += 1
        print(f'SKIPPED {self.name(test)} ({reason})', flush=True)

    def addFailure(self, test, error):
        self.failed += 1
        reason = str(error[1]).splitlines()[:1]
        print(f'FAIL {self.name(test)}: {error[0].__name__}: {"".join(reason)}')
        details = ''.join(traceback.format_exception(*error)).splitlines()
        if not isinstance(error[1], StartRefused):
            for server in servers:
                details += server.log_tail().splitlines()
        print('\n'.join('    ' + line for line in details), flush=True)

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)


def too_long(*_):
    raise TooLong(f'the test took more than {LONGEST_TEST_SECONDS} s')


def take_server_option():
    """Moves `--server TEMPLATE` from the command line to the environment."""
    if '--server' in sys.argv:
        at = sys.argv.index('--server')
        os.environ['AVIARY_SERVER'] = sys.argv[at + 1]
        del sys.argv[at:at + 2]


def main():
    """Runs the tests of the calling file; words on the command line choose tests by name."""
    take_server_option()
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        loader.testNamePatterns = [f'*{word}*' for word in sys.argv[1:]]
    suite = loader.loadTestsFromModule(sys.modules['__main__'])
    result = LineResult()
    suite.run(result)
    stop_all()
    print(f'{result.passed} passed, {result.failed} failed, {result.omitted} skipped', flush=True)
    # Threads that a broken client library left behind must not keep the process alive.
    os._exit(1 if result.failed else 0)
