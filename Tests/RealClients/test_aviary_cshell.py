"""Replays the transcript of the slides against `aviary cshell`, and compares it with cli_mt."""
import re
import subprocess
import unittest

import harness
import rawclient
from shell import Shell
from test_cshell import CLI, DATE, needs_cli

CSHELL = [str(harness.ROOT / '.build/release/aviary'), 'cshell']
STAT = (rf'\tctime = {DATE}', r'\tczxid={created}', rf'\tmtime={DATE}', r'\tmzxid={changed}',
        r'\tversion={version}\taversion=0', r'\tephemeralOwner = 0')

# What is typed, and the lines that answer, in order and nothing between; the numbers of the slides
# are of their server, so zxids are compared with each other below.
SLIDES = (
    ('ls /', (r'time = \d+ msec', '/: rc = 0', '\tzookeeper', r'time = \d+ msec')),
    ('create /foo', (r'Creating \[/foo\] node',
                     'Watcher CHILD_EVENT state = CONNECTED_STATE for path /',
                     r'\[/foo\]: rc = 0', '\tname = /foo')),
    ('ls /', (r'time = \d+ msec', '/: rc = 0', '\tfoo', '\tzookeeper', r'time = \d+ msec')),
    ('get /foo', (r'time = \d+ msec', '/foo: rc = 0', ' value_len = 3', 'new', 'Stat:',
                  rf'\tctime = {DATE}', r'\tczxid=(?P<created>[0-9a-f]+)', rf'\tmtime={DATE}',
                  r'\tmzxid=(?P<unchanged>[0-9a-f]+)', '\tversion=0\taversion=0',
                  '\tephemeralOwner = 0')),
    ('set /foo bar', ('Watcher CHANGED_EVENT state = CONNECTED_STATE for path /foo',
                      '/foo: rc = 0 Stat:',
                      rf'\tctime = {DATE}', r'\tczxid=(?P<still>[0-9a-f]+)', rf'\tmtime={DATE}',
                      r'\tmzxid=(?P<changed>[0-9a-f]+)', '\tversion=1\taversion=0',
                      '\tephemeralOwner = 0')),
)


class Slides(harness.ServerCase):
    def setUp(self):
        # Each on a server that has nothing yet.
        self.own = harness.Server().start()
        self.addCleanup(self.own.stop)
        self.shell = Shell(self, [*CSHELL, self.own.hosts])
        self.shell.expect(r'\AWatcher SESSION_EVENT state = CONNECTED_STATE\n')
        self.session = self.shell.expect(r'\AGot a new session id: 0x(\w+)\n').group(1)

    def lines(self, typed, patterns):
        self.shell.type(typed)
        found = {}
        for pattern in patterns:
            found |= self.shell.expect(rf'\A(?:[^\n]*\n){{0}}{pattern}\n').groupdict()
        return found

    def test_the_transcript_line_by_line(self):
        found = {}
        for typed, patterns in SLIDES:
            found |= self.lines(typed, patterns)
        self.assertEqual(found['created'], found['unchanged'])
        self.assertEqual(found['created'], found['still'])
        self.assertGreater(int(found['changed'], 16), int(found['created'], 16))
        # SH-06: no get since, no event.
        self.lines('set /foo again', ('/foo: rc = 0 Stat:',))
        body = self.own.client().call(rawclient.GET_DATA, rawclient.watch_record('/foo')).body
        self.assertEqual(body.buffer(), b'again')

    def test_get_counts_from_the_last_ls(self):
        self.lines('ls /', (r'time = \d+ msec', '/: rc = 0', '\tzookeeper', r'time = \d+ msec'))
        self.lines('create /a', (r'Creating \[/a\] node', r'Watcher CHILD.*', r'\[/a\]: rc = 0',
                                 '\tname = /a'))
        import time
        time.sleep(0.3)
        found = self.lines('get /a', (r'time = (?P<time>\d+) msec',))
        self.assertGreaterEqual(int(found['time']), 300)
        self.shell.expect(r'ephemeralOwner = 0\n')
        found = self.lines('ls /', (r'time = (?P<time>\d+) msec',))
        self.assertLess(int(found['time']), 300)

    def test_errors_are_numbers(self):
        self.lines('get /none', (r'time = \d+ msec', '/none: rc = -101', '', 'Stat:', 'null'))
        self.lines('set /none x', ('/none: rc = -101 Stat:', 'null'))
        self.lines('delete /none', ('/none: rc = -101',))
        self.lines('create /none/x', (r'Creating \[/none/x\] node', r'\[/none/x\]: rc = -101'))
        self.lines('ls none', ('Path must start with /, found: none',))

    def test_myid_alone_goes_to_standard_output(self):
        run = subprocess.run([*CSHELL, self.own.hosts], input='ls /\nmyid\n', capture_output=True,
                             text=True, timeout=30)
        self.assertRegex(run.stdout, r'\Asession Id = [0-9a-f]+\n\Z')
        self.assertIn('\tzookeeper\n', run.stderr)
        self.assertEqual(run.returncode, 0)

    def test_a_command_on_the_command_line(self):
        run = subprocess.run([*CSHELL, self.own.hosts, 'cmd:create /b'], capture_output=True,
                             text=True, timeout=30, stdin=subprocess.DEVNULL)
        self.assertTrue(run.stderr.startswith("Batch mode: 'create /b'\n"), run.stderr)
        self.assertIn('[/b]: rc = 0\n\tname = /b\n', run.stderr)
        self.lines('quit', (r'Quitting\.\.\.',))
        self.assertEqual(self.shell.process.wait(15), 0)


# Both shells are given these; --modes is what cli_mt does since 3.5.6.
SCRIPT = ('ls /', 'create /foo', 'ls /', 'get /foo', 'set /foo bar', 'set /foo baz', 'get /none',
          'ls /none', 'ls2 /foo', 'set /none x', 'delete /none', 'exists /none', 'wexists /none',
          'exists /foo', 'create /none', 'sync /foo', 'create +s /q', 'create +es /q', 'create +e /e',
          'create2 /c2', 'create2 /c2', 'create nopath', 'get nopath', 'set /c2', 'delete x',
          'create +z /z', 'set /c2  two  blanks', 'get /c2', 'create /with blank', 'aget /c2',
          'delete /foo', 'verbose', 'verbose', 'nonsense', 'create +c /box', 'addauth digest a:b',
          'get /e', 'config', 'quit')


def masked(text):
    text = re.sub(r'(?m)^\d{4}-.*ZOO_(INFO|DEBUG|WARN).*\n', '', text)
    text = re.sub(r'time = \d+ msec', 'time = N msec', text)
    text = re.sub(DATE, 'DATE', text)
    text = re.sub(r'(session id: 0x|ephemeralOwner = )[0-9a-f]{8,}', r'\1SESSION', text)
    # The order of children is the server's.
    return re.sub(r'(\t[^\t\n=]+\n){2,}', lambda found: ''.join(sorted(
        found.group().splitlines(keepends=True))), text)


@needs_cli
class ComparedWithCliMt(unittest.TestCase):
    def play(self, command):
        server = harness.Server(('extendedTypesEnabled=true',)).start()
        self.addCleanup(server.stop)
        shell = Shell(self, [*command, '-h', server.hosts])
        shell.expect('')
        text = shell.expect(r'Watcher SESSION_EVENT.*\nGot a new session id: .*\n').group()
        for line in SCRIPT[:-1]:
            shell.type(line)
            # Answers come in order; this one says that the line's own are there.
            shell.type('sync /marker')
            text += shell.expect(r'(?s)\A(.*?)\[/marker\]: rc = 0\n\tname = /marker\n').group(1)
        shell.type(SCRIPT[-1])
        text += shell.expect(r'(?s)\A.*Quitting\.\.\.\n').group()
        self.assertEqual(shell.process.wait(15), 0)
        return masked(text).splitlines()

    def test_the_same_lines_in_the_same_order(self):
        self.maxDiff = None
        self.assertEqual(self.play([CLI]), self.play([*CSHELL, '--modes']))


if __name__ == '__main__':
    harness.main()
