"""Passes a data directory between the server under test and Apache ZooKeeper."""
import json
import shutil
import unittest

import harness

needs_kazoo = unittest.skipUnless(
    harness.optional('kazoo'), 'the Python package kazoo is not installed')
needs_apache = unittest.skipUnless(
    harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
if harness.optional('kazoo'):
    import history

# Snapshots come soon with this snapCount, so that both logs and snapshots are exchanged.
SETTINGS = (harness.SUPER_DIGEST, 'snapCount=200', 'preAllocSize=64', 'extendedTypesEnabled=true')
FIXTURE = harness.FIXTURES / 'storage' / '01b-history-standalone'


class InteropCase(unittest.TestCase):
    def assert_same(self, expected, found, what):
        lines = history.differences(expected, found)
        self.assertEqual([], lines, f'{what}: {len(lines)} differences\n' + '\n'.join(lines[:40]))

    def assert_clean(self, server):
        bad = [line for line in server.log_text().splitlines()
               if ' ERROR ' in line or 'mismatch' in line.lower() or 'FATAL' in line]
        self.assertEqual([], bad, 'the log tells of errors')


@needs_kazoo
@needs_apache
class DataDirectory(InteropCase):
    def start(self, template, directory):
        """Starts another server on a directory that an earlier one left."""
        server = harness.Server(SETTINGS, template, directory)
        self.addCleanup(server.stop)
        return server.start()

    def pass_on(self, stop):
        """Writes with the server under test, then with Apache, and again with the first."""
        first = harness.Server(SETTINGS)
        self.addCleanup(first.stop)
        first.start()
        open_session = first.client(timeout_milliseconds=40000)
        history.write(first, '/first', open_session)
        written = history.read(first)
        self.assertEqual(written['/first/eph/open']['stat']['ephemeralOwner'], open_session.session[0])
        open_session.abandon()
        stop(first)
        snapshots = list((first.data / 'version-2').glob('snapshot.*'))
        self.assertGreater(len(snapshots), 1, 'there was no snapshot while writing')

        apache = self.start('apache', first.directory)
        self.assert_same(written, history.read(apache), 'Apache on the directory of the server')
        self.assertIn('zk_digest_mismatches_count\t0\n', apache.words('mntr'))
        again = apache.client(timeout_milliseconds=40000, session=open_session.session)
        history.write(apache, '/second', again)
        more = history.read(apache)
        again.abandon()
        self.assert_clean(apache)
        stop(apache)

        last = self.start(None, first.directory)
        self.assert_same(more, history.read(last), 'the server on the directory of Apache')
        self.assertIn('zk_digest_mismatches_count\t0\n', last.words('mntr'))
        final = last.client(timeout_milliseconds=40000, session=open_session.session)
        history.write(last, '/third', final)
        self.assertEqual(len(history.read(last)) - len(more), len(more) - len(written))

    def test_apache_and_the_server_share_a_directory_after_a_stop(self):
        def stop(server):
            # Java ends with 143 after a SIGTERM.
            self.assertIn(server.terminate(), (0, 143))
        self.pass_on(stop)

    def test_apache_and_the_server_share_a_directory_after_a_kill(self):
        self.pass_on(lambda server: server.kill())

    def test_apache_reads_a_directory_that_the_server_opened_and_did_not_change(self):
        first = self.start('apache', self.copy_of_fixture())
        before = history.read(first)
        first.kill()
        self.start(None, first.directory).kill()
        apache = self.start('apache', first.directory)
        self.assert_same(before, history.read(apache), 'Apache after the server')
        self.assert_clean(apache)

    def copy_of_fixture(self):
        server = harness.Server(SETTINGS)
        self.addCleanup(server.stop)
        shutil.copytree(FIXTURE / 'data', server.data, dirs_exist_ok=True)
        return server.directory


@needs_kazoo
class RecordedDirectory(InteropCase):
    def expected_tree(self):
        tree = json.loads((FIXTURE / 'expected.json').read_text())['tree']
        for path, node in tree.items():
            node['data'] = None if node['data'] is None else bytes.fromhex(node['data'])
            node['acl'] = [tuple(entry) for entry in node['acl']]
            node['stat'] = {name: value for name, value in node['stat'].items()
                            if name not in history.NOT_COMPARED.get(path, ())}
        return tree

    def test_a_directory_of_zookeeper_3_9_5_shows_the_recorded_tree(self):
        server = harness.Server(SETTINGS)
        self.addCleanup(server.stop)
        shutil.copytree(FIXTURE / 'data', server.data, dirs_exist_ok=True)
        server.start()
        self.assert_same(self.expected_tree(), history.read(server), 'the recorded directory')


if __name__ == '__main__':
    harness.main()
