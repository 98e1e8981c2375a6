"""Drives a live server with ZooKeeperMain, the shell of Apache's Java client."""
import itertools
import re
import unittest

import harness
import rawclient
from shell import Shell

MAIN = 'org.apache.zookeeper.ZooKeeperMain'
JAR = harness.JARS.split(':')[1]
SILENT = '/usr/share/java/slf4j-nop.jar'

needs_java = unittest.skipUnless(
    harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
markers = itertools.count()


def stat_lines(**expected):
    """A pattern of the shell's stat block, with the values given and any others."""
    names = ('cZxid', 'ctime', 'mZxid', 'mtime', 'pZxid', 'cversion', 'dataVersion', 'aclVersion',
             'ephemeralOwner', 'dataLength', 'numChildren')
    return ''.join(f'{name} = {expected.get(name, ".+")}\n' for name in names)


class JavaShell(Shell):
    """Tells the answers of commands apart with a question about a node that is not there."""

    def __init__(self, case, hosts):
        memory = ['-Xmx256m', '-Dfile.encoding=UTF-8', '-cp', f'{SILENT}:{JAR}']
        super().__init__(case, ['java', *memory, MAIN, '-server', hosts])
        self.expect(r'WatchedEvent state:SyncConnected type:None path:null[^\n]*\n', 30)

    def run(self, line):
        marker = f'/marker-{next(markers)}'
        self.type(line)
        self.type(f'stat {marker}')
        found = self.expect(rf'(?s)\A(.*?)Node does not exist: {marker}\n')
        return found.group(1)


class JavaShellCase(harness.ServerCase):
    settings = ('extendedTypesEnabled=true',)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # One process for all tests of the class; it is ended with the class.
        holder = type('Holder', (), {'addCleanup': cls.addClassCleanup})
        cls.shell = JavaShell(holder, cls.server.hosts)

    def setUp(self):
        super().setUp()
        self.assertEqual(self.run_line('create PATH data'), f'Created {self.path}\n')

    def run_line(self, line):
        return self.shell.run(line.replace('PATH', self.path))

    def assert_line(self, line, expected):
        self.assertEqual(self.run_line(line), expected.replace('PATH', self.path), line)

    def assert_matches(self, line, pattern):
        self.assertRegex(self.run_line(line), r'\A' + pattern.replace('PATH', self.path) + r'\Z', line)


@needs_java
class JavaShellTests(JavaShellCase):
    def test_create_in_all_modes(self):
        self.assert_line('create -s -e PATH/eph x', 'Created PATH/eph0000000000\n')
        self.assert_line('create -s PATH/q', 'Created PATH/q0000000001\n')
        self.assert_line('create -e PATH/e', 'Created PATH/e\n')
        self.assert_line('create -c PATH/c', 'Created PATH/c\n')
        self.assert_line('create -t 3600000 PATH/t x', 'Created PATH/t\n')
        self.assert_line('create PATH/e/x', 'Ephemerals cannot have children: PATH/e/x\n')
        self.assert_line('create PATH/e', 'Node already exists: PATH/e\n')
        self.assert_line('create PATH/none/x', 'Node does not exist: PATH/none/x\n')
        self.assertIn(self.path + '/eph0000000000', self.run_line('getEphemerals'))
        self.assert_line('ls PATH', '[c, e, eph0000000000, q0000000001, t]\n')
        self.assert_line('getAllChildrenNumber PATH', '5\n')
        owner = self.run_line('stat PATH/e')
        self.assertRegex(owner, r'ephemeralOwner = 0x1\w+\n')
        self.assert_matches('stat PATH/t', stat_lines(ephemeralOwner='0x0', dataLength=1))

    def test_ls_with_stat_and_watch(self):
        self.assert_matches('ls -s PATH', r'\[\]\n' + stat_lines(cversion=0, dataLength=4, numChildren=0))
        self.assert_line('create PATH/a', 'Created PATH/a\n')
        self.assert_line('create PATH/a/b', 'Created PATH/a/b\n')
        self.assert_line('ls -R PATH', 'PATH\nPATH/a\nPATH/a/b\n')
        self.assert_matches('ls -s -w PATH', r'\[a\]\n' + stat_lines(cversion=1, numChildren=1))
        self.shell.type(f'create {self.path}/c')
        self.shell.expect(rf'WatchedEvent state:SyncConnected type:NodeChildrenChanged path:{self.path}\b')
        self.run_line('sync PATH')
        self.assert_line('ls PATH/none', 'Node does not exist: PATH/none\n')
        self.assert_line('ls bad', 'Path must start with / character\n')

    def test_set_checks_the_version(self):
        self.assert_line('set -v 0 PATH one', '')
        self.assert_line('set -v 0 PATH two', 'version No is not valid : PATH\n')
        self.assert_matches('set -s PATH three', stat_lines(dataVersion=2, dataLength=5))
        self.assert_line('get PATH', 'three\n')
        self.assert_line('set PATH/none x', 'Node does not exist: PATH/none\n')
        self.assert_line('delete -v 1 PATH', 'version No is not valid : PATH\n')
        self.assert_line('delete -v 2 PATH', '')
        self.assert_line('get PATH', 'Node does not exist: PATH\n')

    def test_get_with_stat_null_and_empty(self):
        self.assert_matches('get -s PATH', 'data\n' + stat_lines(dataVersion=0, dataLength=4))
        self.assert_line('create PATH/null', 'Created PATH/null\n')
        self.assert_line('create PATH/empty ""', 'Created PATH/empty\n')
        self.assert_line('get PATH/null', 'null\n')
        self.assert_line('get PATH/empty', '\n')
        self.assert_line('create PATH/ü "söme däta"', 'Created PATH/ü\n')
        self.assert_line('get PATH/ü', 'söme däta\n')

    def test_a_new_node_shows_a_complete_stat(self):
        lines = self.run_line('stat PATH').splitlines()
        values = dict(line.split(' = ') for line in lines)
        self.assertEqual(values['cZxid'], values['mZxid'])
        self.assertEqual(values['cZxid'], values['pZxid'])
        self.assertEqual(values['ctime'], values['mtime'])
        self.assertRegex(values['ctime'], r'\A\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ 20\d\d\Z')
        self.assertRegex('\n'.join(lines) + '\n', stat_lines(
            cversion=0, dataVersion=0, aclVersion=0, ephemeralOwner='0x0', dataLength=4, numChildren=0))

    def test_the_root_is_fresh(self):
        self.assertRegex(self.run_line('stat /'), stat_lines(cZxid='0x0', mZxid='0x0', dataVersion=0))
        self.assertRegex(self.run_line('ls -R /zookeeper'),
                         r'\A/zookeeper\n/zookeeper/(config|quota)\n/zookeeper/(config|quota)\n')

    def test_deleteall_removes_a_subtree(self):
        for path in ('a', 'a/b', 'a/b/c', 'd'):
            self.assert_line(f'create PATH/{path}', f'Created PATH/{path}\n')
        self.assert_line('delete PATH', 'Node not empty: PATH\n')
        self.assert_line('deleteall PATH', '')
        self.assert_line('stat PATH', 'Node does not exist: PATH\n')

    def test_acl_commands(self):
        self.assert_line('getAcl PATH', "'world,'anyone\n: cdrwa\n")
        self.assert_line('addauth digest alice:secret', '')
        self.assert_matches('setAcl -s PATH world:anyone:r,auth::cdrwa', stat_lines(aclVersion=1, dataVersion=0))
        found = self.run_line('getAcl -s PATH')
        self.assertRegex(found, r"\A'world,'anyone\n: r\n'digest,'alice:\S{28}\n: cdrwa\n")
        self.assertRegex(found, stat_lines(aclVersion=1) + r'\Z')
        self.assert_line('setAcl -v 0 PATH world:anyone:r', 'version No is not valid : PATH\n')
        self.assert_line('setAcl PATH world:anyone:r', '')
        self.assert_line('set PATH x', 'Insufficient permission : PATH\n')
        self.assert_line('create PATH/x', 'Insufficient permission : PATH/x\n')
        self.assert_line('setAcl PATH world:anyone:cdrwa', 'Insufficient permission : PATH\n')
        self.assertIn('digest: alice\n', self.run_line('whoami'))

    def test_quota_commands(self):
        self.assertEqual(self.run_line('setquota -n 10 PATH').strip(), '')
        self.assert_line('create PATH/a 12345', 'Created PATH/a\n')
        found = self.run_line('listquota PATH')
        self.assertIn(f'Output quota for {self.path} count=10,bytes=-1', found)
        self.assertIn(f'Output stat for {self.path} count=2,bytes=9', found)
        self.assert_line('delquota PATH', '')
        self.assertIn(f'quota for {self.path} does not exist', self.run_line('listquota PATH'))

    def test_sync_answers(self):
        self.assert_line('sync PATH', 'Sync is OK\n')

    def test_a_recursive_persistent_watch_sees_every_change(self):
        self.assert_line('addWatch PATH', '')
        other = self.server.client()
        self.addCleanup(other.abandon)
        event = r'WatchedEvent state:SyncConnected type:{} path:{}\b'
        for _ in range(2):
            other.create(self.path + '/w')
            self.shell.expect(event.format('NodeCreated', self.path + '/w'))
            other.call(rawclient.SET_DATA, rawclient.set_record(self.path + '/w', b'x'))
            self.shell.expect(event.format('NodeDataChanged', self.path + '/w'))
            other.call(rawclient.DELETE, rawclient.version_record(self.path + '/w'))
            self.shell.expect(event.format('NodeDeleted', self.path + '/w'))
        self.run_line('removewatches PATH')
        self.run_line('sync PATH')
        other.create(self.path + '/w')
        self.assert_line('ls PATH', '[w]\n')


@needs_java
class JavaShellRestart(JavaShellCase):
    """A restart would disturb other tests, so this one has a server of its own."""

    def test_watches_and_ephemerals_live_through_a_killed_server(self):
        self.assert_line('create -e PATH/e', 'Created PATH/e\n')
        self.assert_line('get -w PATH', 'data\n')
        self.assert_line('addWatch -m PERSISTENT PATH/p', '')
        owner = re.search('ephemeralOwner = .*', self.run_line('stat PATH/e')).group()
        self.server.restart()
        self.shell.expect(r'WatchedEvent state:Disconnected type:None')
        self.shell.expect(r'WatchedEvent state:SyncConnected type:None', 40)
        self.assertIn(owner, self.run_line('stat PATH/e'))
        other = self.server.client()
        self.addCleanup(other.abandon)
        other.call(rawclient.SET_DATA, rawclient.set_record(self.path, b'changed'))
        self.shell.expect(rf'type:NodeDataChanged path:{self.path}\b')
        other.create(self.path + '/p')
        self.shell.expect(rf'type:NodeCreated path:{self.path}/p\b')


if __name__ == '__main__':
    harness.main()
