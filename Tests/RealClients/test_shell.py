"""Compares `aviary shell` with Apache's zkCli, command by command, and tries what only it has.

Both shells run one script, that of test_zkcli.py, each against a fresh server of the kind under
test; see there for what is masked. Beyond that are masked what Debian's 3.8.0 lacks of 3.9.5, which
Aviary follows, and Java's own: the zxid of events, names of Java's exceptions, the list of commands.
"""
import difflib
import json
import os
import re
import statistics
import subprocess
import time
import unittest

import harness
import rawclient
import test_zkcli

AVIARY = [str(harness.ROOT / '.build/release/aviary')]
SHELL = [*AVIARY, 'shell']
ENVIRONMENT = dict(os.environ, LC_ALL='C.UTF-8', TZ='UTC', AVIARY_HISTORY='')

# What 3.8.0 does not have, and what would end Aviary's shell.
LEFT_OUT = {'get -b /g', 'get -x /g', 'set -b /s ZGF0YQ==', 'exit'}

USAGE_OF_39 = 'the usage text is that of 3.9.5'
SAYS_MORE = "Aviary says what zkCli keeps to itself, and ends with 1"
ONE_A_LINE = 'zkCli forgets the ends of the lines'
OWN_WORDS = "the system's words, not Java's"
CHROOTED = 'zkCli shows paths that its other commands would not find'
NEEDS_NO_SERVER = 'Aviary looks at the command before it connects'

GET = 'err: get [-s] [-w] [-b] [-x] path'
SET = 'err: set [-s] [-v version] [-b] path data'
NO_WATCH = 'err: KeeperErrorCode = No such watcher for /aw'
# Section and command, the reason, and what `aviary shell` prints there.
DIFFERENT = {
    ('history_and_redo', 'redo'): (SAYS_MORE, ('err: redo cmdno',)),
    ('words', 'version'): ('the version', ('out: ZooKeeper CLI version: 3.9.5-aviary-0.1.0',)),
    ('get', 'get'): (USAGE_OF_39, (GET,)),
    ('get', 'get -s'): (USAGE_OF_39, (GET,)),
    ('set', 'set /s'): (USAGE_OF_39, (SET,)),
    ('set', 'set'): (USAGE_OF_39, (SET,)),
    ('add_watch', 'removewatches -p /aw'): ('3.8.0 has no -p', (NO_WATCH,)),
    ('add_watch', 'removewatches -r /aw'): ('3.8.0 has no -r', (NO_WATCH,)),
    ('add_watch', 'removewatches'): (
        'with -p and -r', ('err: removewatches path [-c|-d|-p|-r|-a] [-l]',)),
    ('acl', 'setAcl -R -v 0 /a/b world:anyone:cdrwa'): (ONE_A_LINE, (
        'out: KeeperErrorCode = BadVersion for /a/b',
        'out: KeeperErrorCode = BadVersion for /a/b/c')),
    ('acl', 'setAcl -R /a foo:bar:r'): (ONE_A_LINE, (
        'out: KeeperErrorCode = InvalidACL for /a',
        'out: KeeperErrorCode = InvalidACL for /a/b',
        'out: KeeperErrorCode = InvalidACL for /a/b/c')),
    ('config', 'reconfig -file /none'): (
        OWN_WORDS,
        ('err: Error processing /none: cannot be opened: No such file or directory',)),
    ('reconnect', 'addauth nonsense data'): (SAYS_MORE, None),
    ('reconnect', 'getEphemerals /e2'): (CHROOTED, ("out: ['/e2']",)),
}
for words in (('create',), ('foo',)):
    DIFFERENT['one_shots', ' '.join(('-waitforconnection', '-server', 'HOST', *words))] = (
        NEEDS_NO_SERVER, None)
DIFFERENT['one_shots', '-waitforconnection -server HOST addWatch bad'] = (OWN_WORDS, None)
DIFFERENT['one_shots', '-client-configuration /none -server HOST ls /'] = (OWN_WORDS, None)


def script():
    """That of test_zkcli.py, with what both shells have."""
    sections = {}
    for name, text in test_zkcli.SCRIPT.items():
        lines = [line for line in text.splitlines() if line.strip() not in LEFT_OUT]
        sections[name] = '\n'.join(lines).replace('history\\nNot connected', 'history\\n')
    return sections


def whole_run(command):
    server = harness.Server(test_zkcli.SETTINGS).start()
    try:
        result = test_zkcli.play(server, script(), command)
        client = server.client()
        client.create('/shot')
        client.create('/shot/x', b'data')
        client.close_session()
        result['one_shots'] = [(' '.join(words), test_zkcli.shoot(server, words, command))
                               for words, _ in test_zkcli.ONE_SHOTS]
    finally:
        server.stop()
    server = harness.Server(test_zkcli.RECONFIG_SETTINGS).start()
    try:
        result |= test_zkcli.play(server, test_zkcli.RECONFIG_SCRIPT, command)
    finally:
        server.stop()
    return result


def mask(section, line, printed):
    """Takes off what is Java's or 3.9.5's."""
    result = []
    if section == 'reconnect':
        # What was left of the line that the script waited for; and the numbers of `history`, since
        # there are fewer commands; that zkCli shows ephemeral nodes outside the chroot; and that
        # Aviary says, on the other stream, that addauth was refused.
        printed = [re.sub(r"^out: \d+ - .*|^out: Not connected$|^out: $|^err: .*AuthFailed$", '', each)
                   for each in printed]
        printed = [each.replace("'/c/e2'", "'/e2'") for each in printed if each]
    for each in printed:
        if section == 'one_shots':
            # Aviary closes its sessions, and that is a transaction.
            each = re.sub(r'Zxid = 0x[0-9a-f]+', 'Zxid = <zxid>', each)
        if re.match(r'err: (ZooKeeper -server|\t)', each):
            continue
        each = re.sub(r' zxid: -?\d+', '', each)
        result.append(re.sub(r'org\.apache\.commons\.cli\.\w+Exception: ', '', each))
    return tuple(result)


@unittest.skipUnless(
    harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
class ComparedWithZkcli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.apache = whole_run(test_zkcli.JAVA)
        cls.ours = whole_run(SHELL)

    def compare(self, section):
        apache, ours = self.apache[section], self.ours[section]
        self.assertEqual([line for line, _ in apache], [line for line, _ in ours])
        wrong = []
        for (line, expected), (_, printed) in zip(apache, ours):
            expected, printed = mask(section, line, expected), mask(section, line, printed)
            if (section, line) in DIFFERENT:
                _, own = DIFFERENT[section, line]
                expected = printed if own is None else own
            if printed != expected:
                lines = difflib.ndiff(expected, printed)
                wrong.append('\n'.join((line, *('    ' + each.rstrip() for each in lines))))
        if wrong:
            self.fail(f'{len(wrong)} commands print something else\n' + '\n'.join(wrong))

    def test_one_shots(self):
        self.compare('one_shots')
        for (line, printed), (_, code) in zip(self.ours['one_shots'], test_zkcli.ONE_SHOTS):
            self.assertEqual(printed[0], f'exit code {code}', line)

    def test_named_differences_are_in_the_script(self):
        known = {(section, line) for section, lines in self.ours.items() for line, _ in lines}
        self.assertEqual(set(DIFFERENT) - known, set())


def section_test(section):
    return lambda case: case.compare(section)


for name in (*test_zkcli.SCRIPT, *test_zkcli.RECONFIG_SCRIPT):
    setattr(ComparedWithZkcli, 'test_' + name, section_test(name))


class ShellCase(harness.ServerCase):
    settings = ('extendedTypesEnabled=true',)

    def setUp(self):
        super().setUp()
        self.client = self.server.client()
        self.addCleanup(self.client.abandon)
        self.assertEqual(self.client.create(self.path, b'data').error, 0)

    def shell(self, *words, code=0, options=('--quiet',), text=None):
        """Runs one command, and returns what it printed on standard output."""
        run = subprocess.run(
            [*SHELL, *options, '-server', self.server.hosts, *words], capture_output=True,
            text=True, input=text, stdin=None if text is not None else subprocess.DEVNULL,
            timeout=30, env=ENVIRONMENT)
        self.errors = run.stderr
        self.assertEqual(run.returncode, code, f'{words}: {run.stderr}')
        return run.stdout

    def json(self, *words, **options):
        return [json.loads(line) for line in
                self.shell(*words, options=('--json',), **options).splitlines()]


class ExitCodes(ShellCase):
    def test_a_command_that_works_ends_with_0(self):
        self.assertEqual(self.shell('get', self.path), 'data\n')

    def test_a_command_that_fails_ends_with_1_and_says_why(self):
        self.assertEqual(self.shell('get', self.path + '/none', code=1), '')
        self.assertEqual(self.errors, f'Node does not exist: {self.path}/none\n')

    def test_wrong_options_end_with_2(self):
        self.shell('--json', '--table', 'ls', '/', code=2, options=())

    def test_options_that_there_are_not_end_with_2_and_help_with_0(self):
        run = subprocess.run([*SHELL, '--nonsense', 'ls', '/'], capture_output=True, text=True)
        self.assertEqual(run.returncode, 2, run.stderr)
        for words in ((*SHELL, '--help'), (*AVIARY, 'help', 'shell')):
            run = subprocess.run(words, capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn('aviary shell watch /members -r', run.stdout)
        self.assertIn('--depth count', self.shell('tree', '--help'))

    def test_no_such_command_ends_with_127(self):
        self.shell('nonsense', code=127)
        self.assertIn('Command not found: Command not found nonsense', self.errors)

    def test_lines_end_with_the_code_of_the_last(self):
        self.shell(text=f'get /none\nget {self.path}\n')
        self.shell(text=f'get {self.path}\nget /none\n', code=1)
        self.shell(text=f'get {self.path}\nfoo\nquit\n', code=127)

    def test_without_a_server_it_ends_with_1_and_says_where_it_looked(self):
        port = harness.free_port()
        began = time.monotonic()
        run = subprocess.run([*SHELL, '-q', '-server', f'127.0.0.1:{port}', 'ls', '/'],
                             capture_output=True, text=True, timeout=30)
        self.assertEqual(run.returncode, 1)
        self.assertIn(f'127.0.0.1:{port}', run.stderr)
        self.assertLess(time.monotonic() - began, 15)

    def test_the_session_is_closed_at_the_end(self):
        self.shell('create', '-e', self.path + '/e')
        self.assertEqual(self.shell('ls', self.path), '[]\n')


class Of39(ShellCase):
    """What 3.9.5 has and Debian's 3.8.0 has not."""

    def test_data_in_base64_and_as_hex_dump(self):
        self.shell('set', '-b', self.path, 'AAECfg==')
        self.assertEqual(self.shell('get', '-b', self.path), 'AAECfg==\n')
        self.assertRegex(self.shell('get', '-x', self.path), r'^00000000  00 01 02 7e +\.\.\.~\n$')
        self.shell('set', '-b', self.path, 'AA=A', code=1)

    def test_data_that_is_no_text_is_printed_as_it_is(self):
        self.shell('set', '-b', self.path, '//79')
        run = subprocess.run([*SHELL, '-q', '-server', self.server.hosts, 'get', self.path],
                             capture_output=True, timeout=30)
        self.assertEqual(run.stdout, b'\xff\xfe\xfd\n')

    def test_kinds_of_watches_are_removed_apart(self):
        out = self.shell(text='\n'.join((
            f'addWatch {self.path}', f'addWatch -m PERSISTENT {self.path}',
            f'removewatches -p {self.path}', f'create {self.path}/a',
            f'removewatches -r {self.path}', f'set {self.path} quiet', '')))
        events = re.findall(r'type:(\w+) path:(\S+)', out)
        self.assertEqual(events, [
            ('PersistentWatchRemoved', self.path), ('NodeCreated', self.path + '/a'),
            ('PersistentWatchRemoved', self.path)])


class Forms(ShellCase):
    def test_json_of_every_command_parses(self):
        child = self.path + '/a'
        self.assertEqual(self.json('create', child, 'text'), [{'created': child}])
        [got] = self.json('get', child)
        self.assertEqual((got['path'], got['data'], got['base64']), (child, 'text', 'dGV4dA=='))
        self.assertEqual(got['stat']['version'], 0)
        [listed] = self.json('ls', self.path)
        self.assertEqual(listed['children'], ['a'])
        [stat] = self.json('stat', child)
        self.assertRegex(stat['stat']['czxid'], '^0x[0-9a-f]+$')
        [acl] = self.json('getAcl', child)
        self.assertEqual(acl['acl'], [{'permissions': 31, 'scheme': 'world', 'id': 'anyone'}])
        [count] = self.json('getAllChildrenNumber', self.path)
        self.assertEqual(count['descendants'], 1)
        [changed] = self.json('set', child, 'more')
        self.assertEqual(changed['stat']['version'], 1)
        self.assertEqual([each['path'] for each in self.json('ls', '-R', self.path)],
                         [self.path, child])
        self.assertEqual([each['path'] for each in self.json('tree', self.path)],
                         [self.path, child])
        self.assertEqual(self.json('du', self.path), [
            {'path': child, 'nodes': 1, 'bytes': 4}, {'path': self.path, 'nodes': 2, 'bytes': 8}])
        self.assertEqual(self.json('find', self.path, '--name', '?'), [{'path': child}])
        [who] = self.json('whoami')
        self.assertEqual(who['identities'], [{'scheme': 'ip', 'id': '127.0.0.1'}])
        for words in (('sync', '/'), ('version',), ('config',), ('getEphemerals',),
                      ('delete', child), ('setAcl', self.path, 'world:anyone:cdrwa'),
                      ('printwatches',), ('addauth', 'digest', 'a:b'), ('setquota', '-n', '9', self.path),
                      ('listquota', self.path), ('delquota', self.path),
                      ('deleteall', self.path, '--dry-run'), ('deleteall', self.path)):
            self.assertEqual(len(self.json(*words)) > 0, True, words)

    def test_data_that_is_no_text_is_null_in_json_and_still_whole_in_base64(self):
        self.shell('set', '-b', self.path, '/w==')
        [got] = self.json('get', self.path)
        self.assertEqual((got['data'], got['base64']), (None, '/w=='))

    def test_a_table_has_a_line_for_each_child(self):
        for name in ('b', 'a'):
            self.client.create(f'{self.path}/{name}', b'12345')
        lines = self.shell('ls', self.path, options=('--table',)).splitlines()
        self.assertRegex(lines[0], r'^NAME +BYTES +CHILDREN +VERSION')
        self.assertRegex(lines[1], r'^a +5 +0 +0 +\d{4}-')
        self.assertRegex(lines[2], r'^b +5 ')

    def test_there_are_no_colours_where_there_is_no_terminal(self):
        for words in (('ls', '/'), ('tree', '/'), ('help',)):
            self.assertNotIn('\x1b', self.shell(*words, options=('--table',)))

    def test_help_says_of_every_command_what_it_takes(self):
        names = [line.split()[0] for line in self.shell('help').splitlines() if line and
                 not line.startswith('Every')]
        self.assertGreater(len(names), 35)
        for name in names:
            self.assertTrue(self.shell('help', name).startswith(name + ' '), name)


class Trees(ShellCase):
    def setUp(self):
        super().setUp()
        for path, data in (('/a', b'1'), ('/a/x', b'22'), ('/a/x/y', b'333'), ('/b', b'needle')):
            self.client.create(self.path + path, data)

    def test_tree_draws_levels(self):
        self.assertEqual(
            self.shell('tree', self.path),
            f'{self.path}\n  a\n    x\n      y\n  b\n5 nodes\n')
        self.assertEqual(
            self.shell('tree', '--depth', '1', self.path),
            f'{self.path}\n  a\n  b\n5 nodes, 3 of them shown\n')

    def test_du_counts_what_is_below(self):
        lines = [line.split() for line in self.shell('du', self.path).splitlines()]
        self.assertEqual(lines, [
            ['BYTES', 'NODES', 'PATH'], ['6', '3', self.path + '/a'],
            ['6', '1', self.path + '/b'], ['16', '5', self.path]])

    def test_find_looks_at_names_data_and_sizes(self):
        for options, names in ((('--name', 'x*'), ['/a/x']), (('--data', 'need'), ['/b']),
                               (('--larger', '2'), ['', '/a/x/y', '/b']),
                               (('--ephemeral',), []), (('--empty',), ['/a/x/y', '/b'])):
            found = self.shell('find', self.path, *options).split()
            self.assertEqual(found, [self.path + name for name in names], options)

    def test_deleteall_says_how_many_and_deletes_them(self):
        [would] = self.json('deleteall', '--dry-run', self.path)
        self.assertEqual(would['wouldDelete'], 5)
        self.assertEqual(self.shell('deleteall', self.path, '-b', '2'), '')
        self.shell('stat', self.path, code=1)

    def test_an_export_comes_back_as_it_was(self):
        self.shell('create', '-c', self.path + '/box')
        self.shell('create', self.path + '/nothing')
        self.shell('create', '-t', '9000000', self.path + '/short', 'x')
        self.shell('create', self.path + '/closed', 'x', 'world:anyone:r,digest:u:h=:cdrwa')
        file = self.server.directory / 'export.jsonl'
        self.shell('export', self.path, str(file))
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        self.assertEqual(lines[0]['path'], '/')
        self.assertEqual(len(lines), 9)
        copy = self.path + '-copy'
        self.assertIn('Would create 9 nodes', self.shell('import', '--dry-run', copy, str(file)))
        self.shell('stat', copy, code=1)
        self.assertEqual(self.shell('import', copy, str(file)), 'Created 9 nodes, replaced 0\n')
        again = self.shell('export', copy)
        self.assertEqual(again, file.read_text())
        self.shell('import', copy, str(file), code=1)
        self.assertIn('exists already', self.errors)
        self.shell('set', copy + '/a', 'changed')
        self.shell('setAcl', copy + '/closed', 'world:anyone:cdrwa', code=1)

    def test_an_import_of_something_else_is_refused_before_anything_is_done(self):
        file = self.server.directory / 'broken.jsonl'
        good = '{"path":"/","kind":"persistent","data":null,"acl":[["cdrwa","world","anyone"]]}\n'
        for bad in ('nonsense', '{"path":"x"}', '[' * 100000, good.strip() + 'x',
                    good.replace('null', '"A"').strip()):
            file.write_text(good + bad + '\n')
            self.shell('import', self.path + '-bad', str(file), code=1)
            self.assertIn('line 2', self.errors)
            self.shell('stat', self.path + '-bad', code=1)

    def test_watch_prints_changes_as_they_come(self):
        command = [*SHELL, '-q', '-server', self.server.hosts, 'watch', self.path, '-r',
                   '--count', '3']
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        # No word tells that the watch is set; a change is made until one is seen.
        changes = 0
        while not self.server.words('wchc').count(self.path):
            changes += 1
            time.sleep(0.01)
            self.assertLess(changes, 1000)
        self.client.create(self.path + '/new')
        self.assertRegex(process.stdout.readline(), rf'  created   {self.path}/new  zxid 0x')
        self.client.call(rawclient.SET_DATA, rawclient.set_record(self.path + '/new', b'x'))
        self.assertRegex(process.stdout.readline(), rf'  changed   {self.path}/new')
        self.client.call(rawclient.DELETE, rawclient.version_record(self.path + '/new'))
        self.assertRegex(process.stdout.readline(), rf'  deleted   {self.path}/new')
        self.assertEqual(process.wait(15), 0)


class Speed(ShellCase):
    @unittest.skipUnless(harness.has_apache(), 'there is no zkCli to compare with')
    def test_a_command_takes_a_tenth_of_zkclis_time(self):
        """The promise is a twentieth, on a machine that does nothing else."""
        def median(command, runs):
            times = []
            for _ in range(runs):
                began = time.monotonic()
                subprocess.run([*command, '-server', self.server.hosts, 'get', self.path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
                times.append(time.monotonic() - began)
            return statistics.median(times)
        self.assertLess(median(SHELL, 20), median(test_zkcli.JAVA, 5) / 10)


if __name__ == '__main__':
    harness.main()
