"""Drives a live server with cli_mt, the shell of Apache's C client."""
import base64
import hashlib
import os
import shutil
import unittest

import harness
import rawclient
from shell import Shell

PLACES = ('/usr/lib/zookeeper/bin/cli_mt', '/usr/bin/cli_mt', '/usr/local/bin/cli_mt')
CLI = shutil.which('cli_mt') or next(filter(os.path.exists, PLACES), None)

DATE = r'\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}'


def stat_pattern(version, owner='0'):
    return (rf'\tctime = {DATE}\n\tczxid=\w+\n\tmtime={DATE}\n\tmzxid=\w+\n'
            rf'\tversion={version:x}\taversion=0\n\tephemeralOwner = {owner}\n')


needs_cli = unittest.skipUnless(CLI, 'cli_mt is not installed (Debian package zookeeper-bin)')


class ShellCase(harness.ServerCase):
    """Each test has a shell, and a second client that works on the same nodes."""

    def setUp(self):
        super().setUp()
        self.shell = Shell(self, [CLI, '-h', self.server.hosts])
        self.shell.expect(r'Watcher SESSION_EVENT state = CONNECTED_STATE\n')
        self.session = self.shell.expect(r'Got a new session id: 0x(\w+)\n').group(1)
        self.other = self.server.client()
        self.addCleanup(self.other.abandon)
        self.assertEqual(self.other.create(self.path).error, 0)

    def run_line(self, line, pattern):
        """Types a command with PATH for the test's own path, and waits for its answer."""
        self.shell.type(line.replace('PATH', self.path))
        return self.shell.expect(pattern.replace('PATH', self.path))

    def expect_event(self, kind, path):
        self.shell.expect(rf'Watcher {kind}_EVENT state = CONNECTED_STATE for path {path}\n')


@needs_cli
class CShell(ShellCase):
    def test_create_set_get_and_delete(self):
        self.run_line('create PATH/a', r'\[PATH/a\]: rc = 0\n\tname = PATH/a\n')
        self.run_line('create PATH/a', r'\[PATH/a\]: rc = -110\n')
        self.run_line('get PATH/a', r'PATH/a: rc = 0\n value_len = 3\nnew\nStat:\n' + stat_pattern(0))
        self.run_line('set PATH/a hello', r'PATH/a: rc = 0 Stat:\n' + stat_pattern(1))
        self.run_line('get PATH/a', r'rc = 0\n value_len = 5\nhello\nStat:\n' + stat_pattern(1))
        self.run_line('delete PATH/a', r'PATH/a: rc = 0\n')
        self.run_line('get PATH/a', r'PATH/a: rc = -101\n')
        self.run_line('delete PATH/a', r'PATH/a: rc = -101\n')
        self.run_line('set PATH/a x', r'PATH/a: rc = -101')

    def test_create_modes(self):
        self.run_line('create +s PATH/q-', r'rc = 0\n\tname = PATH/q-0000000000\n')
        self.run_line('create +es PATH/q-', r'rc = 0\n\tname = PATH/q-0000000001\n')
        self.run_line('create +e PATH/e', r'rc = 0\n\tname = PATH/e\n')
        self.run_line('create PATH/e/x', r'\[PATH/e/x\]: rc = -108\n')
        self.run_line('create2 PATH/stat', r'rc = 0\n\tname = PATH/stat\n' + stat_pattern(0))
        self.run_line('get PATH/e', r'\nnew\nStat:\n' + stat_pattern(0, owner=self.session))
        self.shell.type('quit')
        self.shell.expect(r'Quitting\.\.\.\n')
        self.assertEqual(self.shell.process.wait(15), 0)
        self.assertEqual(self.children(), ['q-0000000000', 'stat'])

    def children(self):
        body = self.other.call(rawclient.GET_CHILDREN2, rawclient.watch_record(self.path)).body
        return sorted(body.text() for _ in range(body.unpack('>i')))

    def test_ls_lists_children(self):
        for name in ('a', 'b'):
            self.other.create(f'{self.path}/{name}')
        names = r'PATH: rc = 0\n((?:\t[ab]\n){2})time = \d+ msec\n'
        found = self.run_line('ls PATH', names).group(1)
        self.assertEqual(sorted(found.split()), ['a', 'b'])
        self.run_line('ls2 PATH', names + stat_pattern(0))
        self.run_line('ls PATH/none', r'PATH/none: rc = -101\n')

    def test_exists_and_sync(self):
        self.run_line('exists PATH/none', r'Error -101 for PATH/none\n')
        self.run_line('sync PATH', r'\[PATH\]: rc = 0\n\tname = PATH\n')
        self.run_line('exists PATH', r'')
        self.run_line('wexists PATH/none', r'Error -101 for PATH/none\n')
        self.assertNotIn('Error', self.shell.unread)

    def test_watches_tell_what_another_client_did(self):
        self.run_line('get PATH', r'PATH: rc = 0\n')
        self.run_line('ls PATH', r'PATH: rc = 0\n')
        self.other.call(rawclient.SET_DATA, rawclient.set_record(self.path, b'changed'))
        self.expect_event('CHANGED', self.path)
        self.other.create(self.path + '/child')
        self.expect_event('CHILD', self.path)
        self.run_line('get PATH/child', r'PATH/child: rc = 0\n')
        self.other.call(rawclient.DELETE, rawclient.version_record(self.path + '/child'))
        self.expect_event('DELETED', self.path + '/child')
        self.run_line('wexists PATH/later', r'Error -101')
        self.other.create(self.path + '/later')
        self.expect_event('CREATED', self.path + '/later')

    def test_authentication_opens_a_protected_node(self):
        digest = base64.b64encode(hashlib.sha1(b'bob:pw').digest()).decode()
        self.other.create(self.path + '/own', b'mine', acl=[(31, 'digest', 'bob:' + digest)])
        self.run_line('get PATH/own', r'PATH/own: rc = -102\n')
        self.shell.type('addauth digest bob:pw')
        self.run_line('get PATH/own', r'PATH/own: rc = 0\n value_len = 4\nmine\n')


@needs_cli
class CShellRestart(ShellCase):
    """A restart would disturb other tests, so this one has a server of its own."""

    def test_watches_are_set_again_after_the_server_was_killed(self):
        self.run_line('get PATH', r'PATH: rc = 0\n')
        self.server.restart()
        self.shell.expect(r'Watcher SESSION_EVENT state = CONNECTED_STATE\n', 40)
        self.other = self.server.client()
        self.other.call(rawclient.SET_DATA, rawclient.set_record(self.path, b'changed'))
        self.expect_event('CHANGED', self.path)
        self.run_line('create +e PATH/e', r'rc = 0\n')
        self.run_line('get PATH/e', r'\nnew\nStat:\n' + stat_pattern(0, owner=self.session))


if __name__ == '__main__':
    harness.main()
