"""The server as a process: what it says when it starts, why it refuses to, and how it ends."""
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import harness

LONGEST_RUN_SECONDS = 20
HANDSHAKE = struct.pack('>iiqiqi16s?', 45, 0, 0, 30000, 0, 16, bytes(16), False)


@unittest.skipIf(harness.is_apache(), 'these are about what Aviary says')
class Process(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aviary-process-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.port = harness.free_port()

    def command(self, *arguments):
        words = harness.command_line(harness.server_template(), '{cfg}')
        return [word for word in words if word != '{cfg}'] + list(map(str, arguments))

    def configuration(self, *lines, data=None):
        file = self.folder / 'zoo.cfg'
        own = (f'dataDir={data or self.folder / "data"}', f'clientPort={self.port}',
               'clientPortAddress=127.0.0.1')
        file.write_text('\n'.join((*own, *lines)) + '\n')
        return file

    def refused(self, *lines, data=None):
        """Starts a server that must not start; returns its exit code and what it wrote."""
        run = subprocess.run(self.command(self.configuration(*lines, data=data)), text=True,
                             capture_output=True, timeout=LONGEST_RUN_SECONDS, cwd=self.folder)
        self.assertNotEqual(0, run.returncode)
        errors = [line for line in run.stderr.splitlines() if line.startswith('aviary: ')]
        self.assertEqual(1, len(errors), run.stderr)
        return run.returncode, errors[0]

    def running(self, *lines):
        server = harness.Server(lines)
        self.addCleanup(server.stop)
        return server.start()

    def test_a_start_says_where_it_listens_and_where_the_data_is(self):
        server = self.running()
        line = server.log_text().splitlines()[0]
        self.assertIn(f'127.0.0.1:{server.port}', line)
        self.assertIn(str(server.data), line)

    def test_without_a_file_it_serves_this_machine_from_a_directory_here(self):
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', 2181)) == 0:
                self.skipTest('something listens on port 2181')
        process = subprocess.Popen(self.command(), cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        try:
            line = process.stdout.readline()
            self.assertRegex(line, r'127\.0\.0\.1:2181.*\./aviary-data')
            self.assertTrue((self.folder / 'aviary-data' / 'version-2').is_dir())
        finally:
            process.terminate()
            self.assertEqual(0, process.wait(LONGEST_RUN_SECONDS))
            process.stdout.close()

    def test_a_port_in_use_is_named(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', self.port))
            taken.listen()
            code, line = self.refused()
        self.assertIn(f'127.0.0.1:{self.port}', line)
        self.assertIn('clientPort', line)

    def test_a_directory_that_cannot_be_made_is_named(self):
        code, line = self.refused(data='/proc/nowhere')
        self.assertIn('/proc/nowhere', line)
        self.assertIn('dataDir', line)

    def test_two_servers_do_not_share_a_directory(self):
        server = self.running()
        code, line = self.refused(data=server.data)
        self.assertIn('another server', line)
        self.assertIn(str(server.data), line)

    def test_a_flipped_byte_in_a_log_stops_the_start_and_is_placed(self):
        server = self.running()
        client = server.client()
        for number in range(20):
            client.create(f'/n{number}')
        server.kill()
        log = next(iter(sorted((server.data / 'version-2').glob('log.*'))))
        content = bytearray(log.read_bytes())
        at = content.index(b'/n10')
        content[at + 1] ^= 1
        log.write_bytes(content)
        code, line = self.refused(data=server.data)
        self.assertIn(str(log), line)
        self.assertRegex(line, r'offset \d+')

    def test_a_bad_value_is_refused_with_file_and_line(self):
        code, line = self.refused('tickTime=soon')
        self.assertEqual(2, code)
        self.assertRegex(line, r'zoo\.cfg:4: .*tickTime')

    def test_a_missing_file_is_refused(self):
        run = subprocess.run(self.command(self.folder / 'none.cfg'), text=True,
                             capture_output=True, timeout=LONGEST_RUN_SECONDS)
        self.assertEqual(2, run.returncode)
        self.assertIn('none.cfg', run.stderr)

    def test_an_unknown_key_is_warned_about_by_name(self):
        server = self.running('noSuchKey=1')
        self.assertIn('noSuchKey', server.log_text())

    def test_signals_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.running()
            client = server.client()
            server.process.send_signal(number)
            self.assertEqual(0, server.process.wait(LONGEST_RUN_SECONDS), number)
            client.abandon()

    def test_five_thousand_clients_may_arrive_at_once(self):
        server = self.running()
        count = min(5000, allowed_files() - 100)
        connections = []
        try:
            for _ in range(count):
                connection = socket.socket()
                connection.setblocking(False)
                connection.connect_ex(server.address)
                connections.append(connection)
            for connection in connections:
                connection.settimeout(10)
                send_when_connected(connection, HANDSHAKE)
            answered = sum(1 for connection in connections if len(connection.recv(64)) == 41)
            self.assertEqual(count, answered)
        finally:
            for connection in connections:
                connection.close()
        harness.wait_until(lambda: 'Connections: 1\n' in server.words('srvr'), what='all closed')


def send_when_connected(connection, data):
    end = time.monotonic() + 10
    while True:
        try:
            connection.sendall(data)
            return
        except (BlockingIOError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def allowed_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


if __name__ == '__main__':
    harness.main()
