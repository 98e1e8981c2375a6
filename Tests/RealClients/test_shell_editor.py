"""Types at `aviary shell` on a pseudo terminal, as a person would."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import harness
import rawclient

SHELL = [str(harness.ROOT / '.build/release/aviary'), 'shell']
PROMPT = r'\(CONNECTED\) \d+\] '
UP, DOWN, LEFT = '\x1b[A', '\x1b[B', '\x1b[D'


def control(letter):
    return chr(ord(letter) - 96)


class Typist:
    """A shell on a terminal of 100 columns, and what it shows."""

    def __init__(self, case, hosts, history=''):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
        environment = dict(os.environ, LC_ALL='C.UTF-8', AVIARY_HISTORY=history, NO_COLOR='1')
        self.process = subprocess.Popen(
            [*SHELL, '-server', hosts], stdin=slave, stdout=slave, stderr=slave, env=environment,
            start_new_session=True)
        os.close(slave)
        self.shown = ''
        case.addCleanup(self.end)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=15):
        """Waits until what is shown matches, and takes it off up to the end of the match."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.plain())):
            left = end - time.monotonic()
            if left < 0 or not select.select([self.master], [], [], left)[0]:
                raise harness.TooLong(f'no {pattern!r} in {self.plain()!r}')
            try:
                self.shown += os.read(self.master, 65536).decode(errors='replace')
            except OSError:
                self.shown += '<end>'
        self.shown = self.plain()[found.end():]
        return found

    def plain(self):
        """Without what moves the cursor, which is as if the line were written anew."""
        return re.sub(r'\x1b\[[0-9;]*[A-Za-z]', '', self.shown).replace('\r', '')

    def run(self, line, pattern):
        self.type(line + '\r')
        return self.expect(pattern)

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        os.close(self.master)


class Editor(harness.ServerCase):
    def setUp(self):
        super().setUp()
        self.client = self.server.client()
        self.addCleanup(self.client.abandon)
        self.client.create(self.path, b'data')
        self.client.create(self.path + '/apple', b'red')
        self.client.create(self.path + '/banana', b'yellow')
        self.client.create(self.path + '/banana/peel', b'brown')
        self.typist = self.start()

    def start(self, **options):
        typist = Typist(self, self.server.hosts, **options)
        typist.expect(r'Ctrl-D leaves')
        typist.expect(rf'\[zk: {self.server.hosts}\(CONNECTED\) 0\] ')
        return typist

    def test_the_prompt_shows_server_state_and_number(self):
        self.typist.run(f'get {self.path}', r'\ndata\n')
        self.typist.expect(rf'\[zk: {self.server.hosts}\(CONNECTED\) 1\] ')
        self.typist.run('close', r'\(CLOSED\) 2\] ')
        self.typist.run('connect', r'\(CONNECTED\) 3\] ')

    def test_the_prompt_tells_that_the_server_is_gone_and_back(self):
        server = harness.Server().start()
        self.addCleanup(server.stop)
        typist = Typist(self, server.hosts)
        typist.expect(r'\(CONNECTED\) 0\] ')
        typist.type('get /zookee')
        typist.expect(r'get /zookee')
        server.kill()
        # What was typed stands behind the new prompt.
        typist.expect(r'\(CONNECTING\) 0\] get /zookee')
        server.start()
        typist.expect(r'\(CONNECTED\) 0\] get /zookee')

    def test_tab_completes_a_command(self):
        self.typist.type('getAl\t')
        self.typist.expect(r'getAllChildrenNumber ')
        self.typist.run(self.path, r'\n3\n')

    def test_tab_completes_a_path_of_the_tree(self):
        self.typist.type(f'get {self.path}/ap\t')
        self.typist.expect(rf'get {self.path}/apple ')
        self.typist.run('', r'\nred\n')

    def test_tab_goes_on_into_a_node_with_children(self):
        self.typist.type(f'get {self.path}/b\t')
        self.typist.expect(rf'get {self.path}/banana/')
        self.typist.type('\t\r')
        self.typist.expect(r'\nbrown\n')

    def test_a_second_tab_lists_the_choices(self):
        self.typist.type(f'ls {self.path}/\t\t')
        self.typist.expect(r'apple +banana')
        self.typist.type(f'{control("u")}delq\t\r')
        self.typist.expect(r'delquota \[-n')

    def test_up_and_down_go_through_the_history(self):
        self.typist.run(f'get {self.path}/apple', r'\nred\n')
        self.typist.run(f'get {self.path}/banana', r'\nyellow\n')
        self.typist.expect(r'2\] ')
        self.typist.type(UP + UP + '\r')
        self.typist.expect(r'\nred\n')
        self.typist.type(UP + UP + DOWN + '\r')
        self.typist.expect(r'\nred\n')

    def test_a_search_finds_an_earlier_line(self):
        self.typist.run(f'get {self.path}/apple', r'\nred\n')
        self.typist.run('whoami', r'ip: 127.0.0.1')
        self.typist.expect(PROMPT)
        self.typist.type(control('r') + 'app')
        self.typist.expect(r"\(search\)'app': get")
        self.typist.type('\r')
        self.typist.expect(r'\nred\n')

    def test_the_history_is_kept_but_for_passwords(self):
        with tempfile.TemporaryDirectory() as directory:
            file = os.path.join(directory, 'history')
            first = self.start(history=file)
            first.run('addauth digest bob:secret', r'1\] ')
            first.run(f'get {self.path}', r'\ndata\n')
            first.expect(r'2\] ')
            first.type(control('d'))
            self.assertEqual(first.process.wait(15), 0)
            with open(file) as kept:
                self.assertEqual(kept.read(), f'get {self.path}\n')
            self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
            second = self.start(history=file)
            second.type(UP + '\r')
            second.expect(r'\ndata\n')

    def test_keys_edit_the_line(self):
        path = self.path
        for typed in (f'et {path}/apple{control("a")}g', f'get {path}/applex\x7f',
                      f'nonsense{control("u")}get {path}/apple',
                      f'get {path}/apple nonsense{control("w")}\x7f',
                      f'get {path}/appl{LEFT}{control("e")}e',
                      f'get {path}/apple{LEFT * 3}{control("k")}{control("y")}',
                      f'whoami{control("c")}get {path}/apple'):
            self.typist.type(typed + '\r')
            self.typist.expect(r'\nred\n', 5)
            # Between the lines the terminal has its own keys.
            self.typist.expect(PROMPT)

    def test_a_change_is_printed_above_the_line_that_is_typed(self):
        self.typist.run(f'get -w {self.path}', r'\ndata\n')
        self.typist.expect(r'1\] ')
        self.typist.type('whoa')
        self.typist.expect('whoa')
        self.client.create(self.path + '/x')
        self.client.call(*self.changing())
        self.typist.expect(rf'type:NodeDataChanged path:{self.path}[^\n]*\n\[zk: [^\n]*\] whoa')
        self.typist.run('mi', r'ip: 127.0.0.1')

    def exists(self):
        return self.client.call(rawclient.GET_DATA, rawclient.watch_record(self.path))

    def changing(self):
        return rawclient.SET_DATA, rawclient.set_record(self.path, b'changed')

    def test_control_c_ends_a_watch_and_not_the_shell(self):
        self.typist.run(f'watch {self.path} -r', r'Ctrl-C ends it')
        self.client.create(self.path + '/new')
        self.typist.expect(rf'created +{self.path}/new')
        self.typist.type(control('c'))
        self.typist.expect(r'\(CONNECTED\) 1\] ')
        self.typist.run(f'get {self.path}/apple', r'\nred\n')

    def test_deleteall_says_how_many_and_asks(self):
        self.typist.run(f'deleteall {self.path}', r'Delete 4 nodes, .* \[y/N\] ')
        self.typist.run('n', r'Nothing was deleted')
        self.assertEqual(self.exists().error, 0)
        self.typist.run(f'deleteall {self.path}', r'Delete 4 nodes, .* \[y/N\] ')
        self.typist.run('y', r'Deleted 4 nodes')
        self.assertNotEqual(self.exists().error, 0)

    def test_the_terminal_is_as_it_was_at_the_end(self):
        before = termios.tcgetattr(self.typist.master)
        self.typist.run('quit', r'\n')
        self.assertEqual(self.typist.process.wait(15), 0)
        after = termios.tcgetattr(self.typist.master)
        self.assertTrue(after[3] & termios.ICANON and after[3] & termios.ECHO)
        self.assertFalse(before[3] & termios.ECHO)


if __name__ == '__main__':
    harness.main()
