"""A disk that fills up under a server, and has room again."""
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

import harness
import rawclient

ROOM = 12 << 20


def value(client, path):
    return client.call(rawclient.GET_DATA, rawclient.watch_record(path)).body.buffer()


@unittest.skipIf(harness.is_apache(), 'Apache ends when its log cannot be written')
class FullDisk(unittest.TestCase):
    """On a file system of its own in memory, which takes the rights to mount one."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aviary-disk-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / 'small'
        self.folder.mkdir()
        command = ['mount', '-t', 'tmpfs', '-o', f'size={ROOM}', 'tmpfs', str(self.folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
            self.skipTest('no file system can be mounted here')
        self.addCleanup(subprocess.run, ['umount', '-l', str(self.folder)], check=True)

    def mntr(self, key):
        lines = dict(line.split('\t', 1) for line in self.server.words('mntr').splitlines())
        return lines[f'zk_{key}']

    def test_writes_wait_and_reads_go_on_until_there_is_room(self):
        self.server = harness.Server(('preAllocSize=64',), directory=self.folder)
        self.addCleanup(self.server.stop)
        self.server.start()
        writer, reader = self.server.client(), self.server.client()
        self.assertEqual(0, writer.create('/before', b'kept').error)
        filler = self.folder / 'filler'
        with open(filler, 'wb') as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            except OSError:
                pass

        answers = []

        def write():
            for number in range(200):
                answers.append(writer.create(f'/n{number}', bytes(2000)).error)

        thread = threading.Thread(target=write)
        thread.start()
        harness.wait_until(lambda: self.mntr('log_writable') == '0', 30, 'the disk was full')
        written = len(answers)
        for _ in range(20):
            self.assertEqual(b'kept', value(reader, '/before'))
        time.sleep(1.5)
        self.assertEqual(written, len(answers), 'a write was answered that could not be durable')
        self.assertIn('the log cannot be written', self.server.log_text())

        filler.unlink()
        thread.join(30)
        self.assertEqual([0] * 200, answers)
        self.assertEqual('1', self.mntr('log_writable'))
        self.assertIn('the log can be written again', self.server.log_text())
        writer.abandon()
        self.server.restart()
        after = self.server.client()
        self.assertEqual(b'kept', value(after, '/before'))
        self.assertEqual(bytes(2000), value(after, '/n199'))


if __name__ == '__main__':
    harness.main()
