"""The tools for a server's files: what they exit with, and backups of a server at work."""
import base64
import json
import os
import pathlib
import random
import subprocess
import tempfile
import threading
import unittest

import harness
import rawclient

LONGEST_RUN_SECONDS = 60
WRITERS = 16
STORAGE = harness.FIXTURES / 'storage'


def binary():
    return harness.command_line(harness.server_template(), '{cfg}')[0]


class ToolCase(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aviary-tools-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_tool(self, *words):
        return subprocess.run([binary(), *map(str, words)], text=True, capture_output=True,
                              timeout=LONGEST_RUN_SECONDS, cwd=self.folder)

    def ends(self, code, *words):
        """Runs a tool that must end with the code; returns what it printed."""
        run = self.run_tool(*words)
        self.assertEqual(code, run.returncode, f'{words}\n{run.stdout[-2000:]}\n{run.stderr}')
        if code == 2:
            self.assertNotEqual('', run.stderr, words)
        return run.stdout

    def lines(self, *words, code=0):
        return [json.loads(line) for line in self.ends(code, *words, '--json').splitlines()]

    def value(self, *words, code=0):
        values = self.lines(*words, code=code)
        self.assertEqual(1, len(values))
        return values[0]


@unittest.skipIf(harness.is_apache(), 'these are about the tools of Aviary')
class ExitCodes(ToolCase):

    def test_help_teaches_and_ends_well(self):
        for words in (['log'], ['snapshot'], ['data', 'verify'], ['backup'], ['restore']):
            text = self.ends(0, *words, '--help')
            self.assertIn('Examples:', text)
            self.assertIn('Exit status:', text.replace('\n', ' '))
            self.assertIn('--json', text)

    def test_wrong_use_and_missing_files_end_with_2(self):
        data = STORAGE / '01-history-quorum1' / 'data'
        for words in (['log'], ['log', 'none'], ['log', data, '--no-such'],
                      ['log', data, '--follow', '--verify'], ['log', data, '--since', 'soon'],
                      ['log', data, '--path', 'x'], ['log', STORAGE / '..' / '..' / 'README.md'],
                      ['log', self.folder], ['snapshot'], ['snapshot', 'none'],
                      ['snapshot', self.folder], ['snapshot', data, '--largest', '0'],
                      ['snapshot', data, '--verify', '--diff', data], ['data'],
                      ['data', 'verify', 'none'], ['backup', 'out'],
                      ['backup', '--data-dir', 'none', 'out'],
                      ['restore', data], ['restore', 'none', 'new'],
                      ['restore', data, 'new', '--to-zxid', '1', '--to-time', '1'],
                      ['restore', data, 'new', '--as', '/x'],
                      ['restore', data, 'new', '--subtree', '/zookeeper'],
                      ['restore', data, data], ['backup', '--data-dir', data, data]):
            if words == ['data']:
                self.run_tool(*words)
                continue
            self.ends(2, *words)
        self.assertEqual([], os.listdir(self.folder))

    def test_damage_and_differences_end_with_1(self):
        for name, codes in {
                '01-history-quorum1': (0, 0, 0), '02-after-restart': (0, 0, 0),
                '03-torn-tail': (1, 0, 0), '03c-record-terminator-zeroed-midfile': (1, 1, 1),
                '04-corrupt-byte-midfile': (1, 1, 1), '05-snapshot-bad-checksum': (0, 0, 0),
                '11-gap-between-logs': (1, 1, 1), '12-empty-last-log': (1, 0, 0),
                '13-logs-without-snapshots': (0, 1, 1)}.items():
            data = STORAGE / name / 'data'
            before = self.contents(data)
            self.ends(codes[0], 'log', '--verify', data)
            self.ends(codes[1], 'data', 'verify', data)
            self.ends(codes[2], 'backup', '--data-dir', data, self.folder / name)
            self.assertEqual(codes[2] == 0, (self.folder / name).exists())
            self.assertEqual(before, self.contents(data), name)
        self.assertEqual([], [name for name in os.listdir(self.folder) if 'unfinished' in name])
        bad = STORAGE / '05-snapshot-bad-checksum' / 'data'
        self.ends(1, 'snapshot', '--verify', bad)
        self.ends(1, 'snapshot', bad / 'version-2' / 'snapshot.100000052')
        data = STORAGE / '01-history-quorum1' / 'data'
        self.ends(0, 'snapshot', data, '--diff', data)
        self.ends(1, 'snapshot', data / 'version-2' / 'snapshot.0', '--diff', data)
        self.ends(1, 'snapshot', data, '--path', '/none')
        self.ends(1, 'restore', data, 'new', '--to-zxid', '0x10000005b')
        self.ends(1, 'restore', data, 'new', '--to-time', '2001-01-01')
        self.assertFalse((self.folder / 'new').exists())

    def contents(self, folder):
        return {path: path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}

    def test_a_verdict_names_file_and_offset(self):
        answer = self.value('data', 'verify', STORAGE / '04-corrupt-byte-midfile' / 'data', code=1)
        self.assertFalse(answer['starts'])
        self.assertEqual(('log.100000054', 126), (answer['file'], answer['offset']))
        logs = self.lines('log', '--verify', STORAGE / '03-torn-tail' / 'data', code=1)
        self.assertEqual(['torn'], [finding['kind'] for log in logs for finding in log['findings']])

    def test_a_recovered_tree_is_what_apache_served(self):
        for name in ('01-history-quorum1', '01b-history-standalone', '02-after-restart',
                     '03-torn-tail', '05-snapshot-bad-checksum', '09-history-written-by-3.8.0',
                     '10-history-no-digest-no-close-body'):
            expected = json.loads((STORAGE / name / 'expected.json').read_text())['tree']
            nodes = self.lines('snapshot', STORAGE / name / 'data', '--replay', '--data')
            self.assertEqual(sorted(expected), sorted(node['path'] for node in nodes))
            for node in nodes:
                self.assertEqual(expected[node['path']], self.as_expected(node, expected), name)

    @staticmethod
    def as_expected(node, expected):
        data = node['data']
        stat = {key: node[key] for key in ('version', 'cversion', 'aversion', 'ctime', 'mtime',
                                           'dataLength', 'numChildren')}
        stat |= {key: int(node[key], 16) for key in ('czxid', 'mzxid', 'pzxid', 'ephemeralOwner')}
        return {'acl': [[entry['permissions'], entry['scheme'], entry['id']] for entry in node['acl']],
                'children': expected[node['path']]['children'],
                'data': None if data is None else base64.b64decode(data).hex(), 'stat': stat}

    def test_filters_choose_transactions(self):
        data = STORAGE / '01-history-quorum1' / 'data'
        everything = self.lines('log', data)
        self.assertEqual(0x5a, len(everything))
        chosen = self.lines('log', data, '--from-zxid', '0x100000010', '--to-zxid', '0x100000012')
        self.assertEqual(['0x100000010', '0x100000011', '0x100000012'],
                         [entry['zxid'] for entry in chosen])
        time_of = everything[40]['time']
        since = self.lines('log', data, '--since', time_of)
        until = self.lines('log', data, '--until', everything[40]['timeMilliseconds'])
        at = [entry for entry in everything if entry['time'] == time_of]
        self.assertEqual(len(everything) + len(at), len(since) + len(until))
        refused = [entry['refused'] for entry in self.lines('log', data, '--path', '/m')]
        self.assertEqual([False, False, True], refused)
        self.assertEqual([], self.lines('log', data, '--path', '/app/bi'))
        session = everything[0]['session']
        self.assertEqual([entry for entry in everything if entry['session'] == session],
                         self.lines('log', data, '--session', session))

    def test_text_for_people_has_no_colour_in_a_pipe(self):
        data = STORAGE / '01-history-quorum1' / 'data'
        for words in (['log', data, '--data'], ['log', '--verify', data], ['snapshot', data],
                      ['data', 'verify', data], ['snapshot', data, '--largest', 3]):
            text = self.ends(0, *words)
            self.assertNotIn('\x1b', text)
            self.assertGreater(len(text.splitlines()), 3)


class Writer(threading.Thread):
    """Changes nodes below a path of its own, and keeps what was acknowledged, with its zxid."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.client = server.client()
        self.random = random.Random(number)
        self.top = f'/w{number}'
        self.done = []
        self.error = None
        self.enough = threading.Event()

    def run(self):
        try:
            self.note(self.client.create(self.top), self.top, b'')
            path = f'{self.top}/ephemeral'
            self.note(self.client.create(path, b'e', rawclient.EPHEMERAL), path, b'e')
            known = []
            while not self.enough.is_set():
                self.change(known)
        except Exception as error:
            self.error = error

    def change(self, known):
        data = self.random.randbytes(self.random.randrange(60))
        kind = self.random.randrange(5)
        if kind < 2 or not known:
            path = f'{self.top}/n{len(self.done)}'
            self.note(self.client.create(path, data), path, data)
            known.append(path)
        elif kind < 4:
            path = self.random.choice(known)
            self.note(self.client.call(rawclient.SET_DATA, rawclient.set_record(path, data)), path,
                      data)
        else:
            path = known.pop(self.random.randrange(len(known)))
            self.note(self.client.call(rawclient.DELETE, rawclient.version_record(path)), path, None)

    def note(self, reply, path, data):
        if reply.error:
            raise AssertionError(f'{path}: {reply.error}')
        self.done.append((reply.zxid, path, data))


@unittest.skipIf(harness.is_apache(), 'these are about the tools of Aviary')
class Backups(ToolCase):

    def working(self, *settings, template=None):
        server = harness.Server(('preAllocSize=64', *settings), template)
        self.addCleanup(server.stop)
        server.start()
        writers = [Writer(server, number) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        return server, writers

    @staticmethod
    def acknowledged(writers):
        return max((writer.done[-1][0] for writer in writers if writer.done), default=0)

    def stop(self, writers):
        """Ends the writers; returns all that they changed, by zxid."""
        for writer in writers:
            writer.enough.set()
        for writer in writers:
            writer.join(30)
            self.assertIsNone(writer.error)
        return sorted(change for writer in writers for change in writer.done)

    @staticmethod
    def model(changes, zxid):
        nodes = {}
        for at, path, data in changes:
            if at <= zxid:
                nodes[path] = data
        return {path: data for path, data in nodes.items() if data is not None}

    def tree(self, *words):
        nodes = self.lines('snapshot', *words, '--data')
        return {node['path']: base64.b64decode(node['data']) for node in nodes
                if node['path'].startswith('/w')}

    def test_a_backup_of_a_server_at_work_goes_back_to_any_transaction(self):
        self.goes_back()

    @unittest.skipUnless(harness.has_apache(), "Apache's server is not installed")
    def test_a_backup_of_apache_at_work_goes_back_past_its_fuzzy_snapshots(self):
        self.goes_back(template='apache')

    def goes_back(self, template=None):
        server, writers = self.working('snapCount=400', 'autopurge.purgeInterval=0',
                                       template=template)
        harness.wait_until(lambda: self.acknowledged(writers) > 1500, what='1500 writes')
        floor = self.acknowledged(writers)
        backup = self.value('backup', '--data-dir', server.data, '--all', 'all')
        last = int(backup['lastZxid'], 16)
        self.assertGreaterEqual(last, floor)
        harness.wait_until(lambda: self.acknowledged(writers) > last + 200, what='more writes')
        changes = self.stop(writers)
        self.assertGreater(len(backup['logs']), 2)
        self.assertTrue(self.value('data', 'verify', 'all')['starts'])
        self.assertEqual(self.model(changes, last), self.tree('all', '--replay'))
        chosen = random.Random(1)
        targets = [chosen.randrange(WRITERS + 1, last) for _ in range(3)]
        # Right behind where snapshots are named, the fuzzy ones hold more.
        names = [int(file['name'].split('.')[1], 16) for file in backup['snapshots']]
        near = [name + step for name in names for step in (0, 1, 5) if 0 < name + step <= last]
        for target in sorted({*targets, *near}):
            with self.subTest(zxid=target):
                restored = self.value('restore', 'all', f'at-{target}', '--to-zxid', hex(target))
                self.assertEqual(hex(target), restored['lastZxid'])
                self.assertEqual([], [note for note in restored['notes'] if 'differs' in note])
                self.assertEqual(self.model(changes, target), self.tree(f'at-{target}'))
        self.ends(1, 'restore', 'all', 'late', '--to-zxid', hex(last + 1))
        self.moves(last, changes)
        self.serves(f'at-{targets[0]}', self.model(changes, targets[0]))
        self.serves('all', self.model(changes, last))
        if harness.has_apache():
            self.serves(f'at-{targets[1]}', self.model(changes, targets[1]), 'apache')

    def moves(self, last, changes):
        """A subtree, without its ephemerals, at another path."""
        answer = self.value('restore', 'all', 'part', '--subtree', '/w3', '--as', '/w/old/3')
        self.assertEqual(hex(last), answer['lastZxid'])
        self.assertGreaterEqual(answer['droppedEphemerals'], 1)
        wanted = {path.replace('/w3', '/w/old/3', 1): data
                  for path, data in self.model(changes, last).items()
                  if (path + '/').startswith('/w3/') and not path.endswith('/ephemeral')}
        self.assertEqual(wanted | {'/w': b'', '/w/old': b''}, self.tree('part'))

    def test_logs_may_have_a_directory_of_their_own(self):
        with tempfile.TemporaryDirectory(prefix='aviary-tools-log-') as logs:
            server, writers = self.working(f'dataLogDir={logs}', 'snapCount=300')
            harness.wait_until(lambda: self.acknowledged(writers) > 800, what='800 writes')
            changes = self.stop(writers)
            where = ['--log-dir', logs]
            backup = self.value('backup', '--data-dir', server.data, *where, 'out')
            last = int(backup['lastZxid'], 16)
            self.assertEqual(changes[-1][0], last)
            verdict = self.value('data', 'verify', server.data, *where)
            self.assertEqual((hex(last), []), (verdict['lastZxid'], verdict['notes']))
            self.assertIn('--log-dir', self.value('data', 'verify', server.data)['notes'][0])
            blind = self.value('backup', '--data-dir', server.data, 'blind')
            self.assertIn('--log-dir', blind['notes'][0])
            wanted = self.model(changes, last)
            self.assertEqual(wanted, self.tree(server.data, '--replay', *where))
            self.assertEqual(wanted, self.tree('out', '--replay'))
            # Times go from transaction to transaction, of which many can have one.
            entries = self.lines('log', logs)
            middle = entries[len(entries) // 2]['timeMilliseconds']
            until = [entry for entry in entries if entry['timeMilliseconds'] <= middle][-1]['zxid']
            words = ['restore', server.data, *where, 'then', '--to-time', middle]
            self.assertEqual(until, self.value(*words, '--dry-run')['lastZxid'])
            self.assertFalse((self.folder / 'then').exists())
            answer = self.value(*words, '--drop-ephemerals')
            self.assertEqual((until, 0, 0),
                             (answer['lastZxid'], answer['ephemerals'], answer['sessions']))
            kept = {path: data for path, data in self.model(changes, int(until, 16)).items()
                    if not path.endswith('/ephemeral')}
            self.assertEqual(kept, self.tree('then'))

    def serves(self, name, expected, template=None):
        """Starts a server on the directory, and reads all of it through a client."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        os.rename(self.folder / name, folder / 'data')
        server = harness.Server(template=template, directory=folder)
        self.addCleanup(server.stop)
        server.start()
        client = server.client()
        for path, value in expected.items():
            reply = client.call(rawclient.GET_DATA, rawclient.watch_record(path))
            self.assertEqual((0, value), (reply.error, reply.body.buffer()), path)
        self.assertEqual(0, client.create('/after').error)
        server.stop()

    def test_backups_of_a_server_that_purges_are_whole(self):
        server, writers = self.working('snapCount=100', 'autopurge.purgeInterval=1',
                                       'autopurge.snapRetainCount=3')
        harness.wait_until(lambda: self.acknowledged(writers) > 500, what='500 writes')
        taken = []
        for number in range(25):
            floor = self.acknowledged(writers)
            words = ['--all'] if number % 3 == 0 else []
            backup = self.value('backup', '--data-dir', server.data, f'b{number}', *words)
            self.assertGreaterEqual(int(backup['lastZxid'], 16), floor)
            self.assertEqual([], backup['notes'])
            taken.append(int(backup['lastZxid'], 16))
        changes = self.stop(writers)
        for number, last in enumerate(taken):
            self.assertEqual(self.model(changes, last), self.tree(f'b{number}', '--replay'))
        self.assertEqual([], [name for name in os.listdir(self.folder) if 'unfinished' in name])

    def test_who_follows_a_log_sees_every_transaction_once(self):
        # What is purged before it was read cannot be followed.
        server, writers = self.working('snapCount=300', 'autopurge.purgeInterval=0')
        process = subprocess.Popen([binary(), 'log', str(server.data), '--follow', '--json'],
                                   stdout=subprocess.PIPE, text=True)
        try:
            seen = []
            reader = threading.Thread(daemon=True, target=lambda: seen.extend(
                int(json.loads(line)['zxid'], 16) for line in process.stdout))
            reader.start()
            harness.wait_until(lambda: self.acknowledged(writers) > 1500, what='1500 writes')
            last = self.stop(writers)[-1][0]
            harness.wait_until(lambda: seen and seen[-1] >= last, what='the last one')
            self.assertEqual(list(range(1, seen[-1] + 1)), seen)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


if __name__ == '__main__':
    harness.main()
