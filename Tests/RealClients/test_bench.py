"""`aviary bench` against live servers: what it counts, and that it leaves no trace."""
import json
import os
import pathlib
import pty
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

import harness
import rawclient

LONGEST_RUN_SECONDS = 60
WORKLOADS = ('get', 'exists', 'children', 'set', 'create', 'ephemeral', 'multi', 'mixed', 'watch', 'connect')
# Few and small: the machine may be busy, and counts matter here, not times.
SMALL = ('--connections', '4', '--depth', '4', '--nodes', '50', '--warm-up', '0.2')
PERCENTILES = ('p50', 'p95', 'p99', 'p999', 'max')
SVG = '{http://www.w3.org/2000/svg}'


def binary():
    return harness.command_line(harness.server_template(), '{cfg}')[0]


def children(server, path='/'):
    client = server.client()
    try:
        body = client.call(rawclient.GET_CHILDREN2, rawclient.watch_record(path)).body
        return {body.text() for _ in range(body.unpack('>i'))}
    finally:
        client.close_session()


@unittest.skipIf(harness.is_apache(), 'these are about the benchmark of Aviary')
class BenchCase(unittest.TestCase):
    template = None

    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server(template=cls.template)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def command(self, *words):
        return [binary(), 'bench', self.server.hosts, *words]

    def run_bench(self, *words, code=0):
        run = subprocess.run(self.command(*words), text=True, capture_output=True,
                             timeout=LONGEST_RUN_SECONDS)
        self.assertEqual(code, run.returncode, f'{words}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}')
        return run

    def measure(self, workload, *words, seconds='1'):
        """The JSON of a run, checked for what must hold of each."""
        run = self.run_bench('--workload', workload, *SMALL, '--seconds', seconds, '--json', *words)
        result = json.loads(run.stdout)
        self.assertEqual('', run.stderr)
        self.assertEqual(workload, result['workload'])
        self.assertEqual((0, {}), (result['errors'], result['errorsByReason']))
        self.assertGreater(result['completed'], 0)
        self.assertGreater(result['measured'], 0)
        self.assertGreater(result['throughput'], 0)
        self.assert_ordered(result['latencyMicroseconds'])
        self.assertEqual(result['measured'],
                         sum(kind['measured'] for kind in result['kinds']) + result['missed'])
        self.assertEqual(result['completed'], sum(part['completed'] for part in result['intervals']))
        self.assertEqual(int(seconds) * 1000, result['milliseconds'])
        self.assertEqual(result['milliseconds'], result['intervals'][-1]['milliseconds'])
        return result

    def assert_ordered(self, latency):
        values = [latency[name] for name in PERCENTILES]
        self.assertEqual(sorted(values), values)
        self.assertGreater(latency['max'], 0)
        self.assertLessEqual(latency['mean'], latency['max'])

    def assert_no_trace(self):
        self.assertEqual({'zookeeper'}, children(self.server))


class Workloads(BenchCase):

    def test_every_workload_measures_and_leaves_nothing(self):
        for workload in WORKLOADS:
            with self.subTest(workload):
                result = self.measure(workload)
                self.assertIsNone(result['rate'])
                self.assertEqual(0, result['missed'])
                self.assert_no_trace()

    def test_the_server_saw_what_was_counted(self):
        before = self.sent()
        result = self.measure('get')
        self.assertGreaterEqual(self.sent() - before, result['completed'])

    def sent(self):
        line = next(line for line in self.server.words('srvr').splitlines() if line.startswith('Sent'))
        return int(line.split()[-1])

    def test_mixed_reads_and_writes_in_the_share_asked_for(self):
        kinds = self.measure('mixed', '--reads', '70')['kinds']
        self.assertEqual(['get', 'set'], [kind['kind'] for kind in kinds])
        share = kinds[0]['measured'] / sum(kind['measured'] for kind in kinds)
        self.assertTrue(0.6 < share < 0.8, share)

    def test_what_was_there_stays(self):
        client = self.server.client()
        client.create('/kept', b'x')
        try:
            self.measure('create')
            self.assertEqual({'zookeeper', 'kept'}, children(self.server))
        finally:
            client.call(rawclient.DELETE, rawclient.version_record('/kept'))
            client.close_session()

    def test_a_chroot_keeps_it_below(self):
        client = self.server.client()
        client.create('/below')
        run = subprocess.run(
            [binary(), 'bench', self.server.hosts + '/below', '-w', 'set', *SMALL, '--seconds', '0.3'],
            text=True, capture_output=True, timeout=LONGEST_RUN_SECONDS)
        self.assertEqual((0, ''), (run.returncode, run.stderr))
        self.assertEqual(set(), children(self.server, '/below'))
        client.call(rawclient.DELETE, rawclient.version_record('/below'))
        client.close_session()
        self.assert_no_trace()


class OpenLoop(BenchCase):

    def test_the_rate_is_kept(self):
        for workload in ('get', 'mixed', 'connect', 'watch'):
            with self.subTest(workload):
                rate = 40 if workload == 'connect' else 400
                result = self.measure(workload, '--rate', str(rate), seconds='2')
                self.assertEqual(rate, result['rate'])
                # A round of `watch` is one operation for each of the four connections.
                self.assertTrue(abs(result['measured'] - 2 * rate) <= 4, result)
                self.assertGreater(result['completed'], rate)

    def test_what_a_server_cannot_keep_up_with_counts_as_waiting(self):
        result = self.measure('set', '--rate', '1000000')
        self.assertGreater(result['missed'], 0)
        self.assertTrue(999_000 <= result['measured'] <= 1_000_000, result['measured'])
        # Half of a second is how long the operation in the middle had waited at the end.
        self.assertGreater(result['latencyMicroseconds']['p50'], 300_000)

    def test_a_pause_of_the_server_is_seen_by_all_who_would_have_asked(self):
        """Without correction only the few requests in flight would be slow."""
        bench = subprocess.Popen(
            self.command('-w', 'get', *SMALL, '--rate', '1000', '--seconds', '3', '--json'),
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        harness.wait_until(lambda: len(children(self.server)) > 1)
        time.sleep(1.2)
        self.server.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        self.server.process.send_signal(signal.SIGCONT)
        output, errors = bench.communicate(timeout=LONGEST_RUN_SECONDS)
        self.assertEqual((0, ''), (bench.returncode, errors))
        result = json.loads(output)
        self.assertTrue(2990 <= result['measured'] <= 3000, result['measured'])
        # About a third of the requests were due in the pause, and waited for half of it on average.
        self.assertGreater(result['latencyMicroseconds']['p95'], 500_000)
        self.assertGreater(result['latencyMicroseconds']['mean'], 100_000)


class Ends(BenchCase):

    def test_ctrl_c_ends_it_with_what_was_measured_and_no_trace(self):
        for workload in ('create', 'ephemeral', 'get', 'watch'):
            with self.subTest(workload):
                bench = subprocess.Popen(
                    self.command('-w', workload, *SMALL, '--seconds', '60', '--json'), text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                harness.wait_until(lambda: len(children(self.server)) > 1)
                time.sleep(1)
                bench.send_signal(signal.SIGINT)
                output, errors = bench.communicate(timeout=LONGEST_RUN_SECONDS)
                self.assertEqual((130, ''), (bench.returncode, errors))
                result = json.loads(output)
                self.assertTrue(result['isInterrupted'])
                self.assertTrue(500 < result['milliseconds'] < 30_000, result['milliseconds'])
                self.assertEqual(result['completed'],
                                 sum(part['completed'] for part in result['intervals']))
                self.assertGreater(result['completed'], 0)
                self.assertEqual(0, result['errors'])
                self.assert_no_trace()

    def test_a_server_that_is_not_there_is_told_of(self):
        port = harness.free_port()
        run = subprocess.run([binary(), 'bench', f'127.0.0.1:{port}', '--connect-timeout', '1'],
                             text=True, capture_output=True, timeout=LONGEST_RUN_SECONDS)
        self.assertEqual((2, ''), (run.returncode, run.stdout))
        self.assertIn(f'cannot reach 127.0.0.1:{port}', run.stderr)
        self.assertEqual(1, len(run.stderr.splitlines()))

    def test_ctrl_c_before_anything_is_measured(self):
        bench = subprocess.Popen(
            self.command('-w', 'get', '--nodes', '1000000', '--json'), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        harness.wait_until(lambda: len(children(self.server)) > 1)
        bench.send_signal(signal.SIGTERM)
        output, errors = bench.communicate(timeout=LONGEST_RUN_SECONDS)
        self.assertEqual((130, ''), (bench.returncode, output))
        self.assertIn('interrupted before anything was measured', errors)
        self.assert_no_trace()

    def test_ctrl_c_while_there_is_no_server(self):
        bench = subprocess.Popen([binary(), 'bench', f'127.0.0.1:{harness.free_port()}',
                                  '--connect-timeout', '600'], stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        bench.send_signal(signal.SIGINT)
        _, errors = bench.communicate(timeout=LONGEST_RUN_SECONDS)
        self.assertIn(bench.returncode, (130, -signal.SIGINT), errors)

    def test_a_server_with_fewer_connections_is_told_of(self):
        server = harness.Server(settings=['maxClientCnxns=3']).start()
        self.addCleanup(server.stop)
        run = subprocess.run([binary(), 'bench', server.hosts, '--connections', '8', '--nodes', '10',
                              '--connect-timeout', '1'],
                             text=True, capture_output=True, timeout=LONGEST_RUN_SECONDS)
        self.assertEqual((2, ''), (run.returncode, run.stdout))
        self.assertIn('of 8 sessions could be opened', run.stderr)
        harness.wait_until(server.answers)
        self.assertEqual({'zookeeper'}, children(server))

    def test_wrong_use_is_refused_before_anything_is_asked(self):
        for words in (['--workload', 'sleep'], ['--depth', '0'], ['--rate', '0'], ['--seconds', '0'],
                      ['--reads', '101'], ['--svg', '/nowhere/at/all.svg']):
            with self.subTest(words):
                run = self.run_bench(*words, code=2)
                self.assertEqual('', run.stdout)
                self.assertNotEqual('', run.stderr)

    def test_a_server_that_goes_away_for_good_is_an_error(self):
        server = harness.Server().start()
        self.addCleanup(server.stop)
        bench = subprocess.Popen(
            [binary(), 'bench', server.hosts, '-w', 'get', *SMALL, '--seconds', '60', '--json'],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        harness.wait_until(lambda: len(children(server)) > 1)
        time.sleep(1)
        server.kill()
        time.sleep(1)
        bench.send_signal(signal.SIGINT)
        time.sleep(1)
        bench.send_signal(signal.SIGINT)
        output, errors = bench.communicate(timeout=LONGEST_RUN_SECONDS)
        self.assertEqual(1, bench.returncode, errors)
        self.assertIn('could not be removed', errors)
        self.assertGreater(json.loads(output)['errors'], 0)


class Shows(BenchCase):

    def test_a_table_for_people(self):
        run = self.run_bench('-w', 'mixed', *SMALL, '--seconds', '0.5')
        self.assertEqual('', run.stderr)
        lines = run.stdout.splitlines()
        head = next(line for line in lines if 'p99.9' in line)
        self.assertEqual(['throughput', 'p50', 'p95', 'p99', 'p99.9', 'max', 'errors'], head.split())
        rows = [line.split()[0] for line in lines[lines.index(head) + 1:]]
        self.assertEqual(['mixed', 'get', 'set'], rows)

    def test_the_plot_is_svg_with_a_point_for_each_interval(self):
        with tempfile.TemporaryDirectory(prefix='aviary-bench-') as folder:
            path = pathlib.Path(folder) / 'plot.svg'
            path.write_text('x' * 100_000)
            result = self.measure('set', '--svg', str(path))
            root = xml.etree.ElementTree.parse(path).getroot()
            self.assertEqual(SVG + 'svg', root.tag)
            curves = [line.get('points').split() for line in root.iter(SVG + 'polyline')]
            self.assertEqual(5, len(curves))
            self.assertEqual(len(result['intervals']), len(curves[0]))
            for x, y in (point.split(',') for curve in curves for point in curve):
                self.assertTrue(0 <= float(x) <= 960 and 0 <= float(y) <= 600, (x, y))
            texts = [text.text for text in root.iter(SVG + 'text')]
            self.assertTrue({'p50', 'p95', 'p99', 'max', 'seconds'} <= set(texts), texts)

    def test_progress_is_one_line_on_a_terminal(self):
        terminal, inside = pty.openpty()
        bench = subprocess.Popen(self.command('-w', 'get', *SMALL, '--seconds', '1', '--json'),
                                 stdout=subprocess.PIPE, stderr=inside)
        os.close(inside)
        shown = b''
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:
            pass  # How Linux tells that nobody has the terminal open any more.
        finally:
            os.close(terminal)
        output, _ = bench.communicate(timeout=LONGEST_RUN_SECONDS)
        self.assertEqual(0, bench.returncode)
        json.loads(output)
        self.assertNotIn(b'\n', shown)
        self.assertIn(b'of 1.0 s', shown)
        self.assertTrue(shown.endswith(b'\r\x1b[K'), shown[-40:])


@unittest.skipUnless(harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
class AgainstApache(BenchCase):
    template = 'apache'

    def test_every_workload_measures_and_leaves_nothing(self):
        for workload in WORKLOADS:
            with self.subTest(workload):
                self.measure(workload)
                self.assert_no_trace()


if __name__ == '__main__':
    harness.main()
