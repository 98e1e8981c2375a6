"""The example programs, run as a new user would."""
import os
import pathlib
import pty
import subprocess
import threading
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESENCE = ROOT / '.build' / 'release' / 'Presence'


class Running:
    """A program whose lines of output can be waited for."""

    def __init__(self, *words):
        self.lines = []
        # A terminal, as a user has: into a pipe the lines would come in blocks.
        self.terminal, inside = pty.openpty()
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL,
                                        stdout=inside, stderr=inside)
        os.close(inside)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        left = b''
        try:
            while more := os.read(self.terminal, 4096):
                *lines, left = (left + more).split(b'\n')
                self.lines += [line.decode().strip() for line in lines]
        except OSError:
            pass  # The program has ended.

    def wait_for(self, line, times=1):
        harness.wait_until(lambda: self.lines.count(line) >= times, seconds=30,
                           what=f'{line!r} in {self.lines}')

    def stop(self):
        if self.process.returncode is not None:
            return
        self.process.kill()
        self.process.wait()
        self.reader.join()
        os.close(self.terminal)


@unittest.skipUnless(PRESENCE.exists(), 'not built: swift build -c release --product Presence')
@unittest.skipIf(harness.is_apache(), 'one server is enough to show an example')
class Presence(harness.ServerCase):
    def presence(self, name):
        running = Running(PRESENCE, self.server.hosts, name)
        self.addCleanup(running.stop)
        return running

    def test_people_come_and_go_and_a_restart_is_survived(self):
        alice = self.presence('alice')
        alice.wait_for('here: ["alice"]')
        bob = self.presence('bob')
        alice.wait_for('+ bob')
        bob.wait_for('here: ["alice", "bob"]')
        self.server.restart()
        # Both sessions and their nodes lived on.
        alice.wait_for('here: ["alice", "bob"]')
        bob.wait_for('here: ["alice", "bob"]', times=2)
        bob.stop()
        alice.wait_for('- bob')
        self.assertIsNone(alice.process.poll())


if __name__ == '__main__':
    harness.main()
