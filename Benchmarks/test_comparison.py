"""What Scripts/bench makes of numbers: python3 -m unittest discover Benchmarks. Nothing is measured."""
import os
import re
import shutil
import tempfile
import unittest
import xml.dom.minidom

from comparison import pages, results
from comparison.load import checked, complaint, median
from comparison.options import DOCS, parse
from comparison.plot import lines, rows
from comparison.plot.scale import Linear, Log, label
from comparison.sections import UNITS

SERVERS = ('aviary', 'apache')
FAILED = [{'failed': 'it broke'}]


def row(value):
    keys = ('ops_per_s', 'p50_us', 'p99_us', 'p999_us', 'max_us', 'cpu_us_per_op', 'seconds', 'rss_mb', 'gap_ms',
            'operations', 'reads')
    return {key: value for key in keys} | {'session_kept': True, 'lost_writes': 0}


def each(value=7.0, servers=SERVERS):
    return {name: [row(value), row(value * 2), row(value * 3)] for name in servers}


def broken():
    return {'aviary': FAILED, 'apache': [row(5.0)]}


def found(unit):
    """Results of a unit in its shape, with a server that failed in one place."""
    kind = unit.split('-')[0]
    memory = {what: {'0': 20.0, '1000': 30.0} for what in ('nodes', 'watches', 'sessions')}
    shapes = {
        'workloads': {'get': each(servers=(*SERVERS, 'floor')), 'create': broken()},
        'connections': {w: {'1': each(), '1000': broken()} for w in ('get', 'set')},
        'reads': {'0': each(), '100': broken()},
        'memory': {name: [memory] for name in SERVERS},
        'start': {'0': {'snapshot': each()}, '1000': {'logs': each(), 'snapshot': each()}},
        'gaps': {'nodes': 5, 'storm': 6, 'children': 7,
                 'gaps': {'rest': each(), 'snapshot': broken(), 'storm': each(), 'listing': each()}},
        'failover': {'kill': each(), 'freeze': each()},
        'saturation': {'3': {'100': each(), '0': broken()}, '5': {'100': each(), '0': each()}},
        'creates': {'3': {'1': each(), '10': broken()}},
        'barriers': {'50': {'200': {s: [row(3.0)] for s in SERVERS}, '400': broken()}},
    }
    return shapes[kind]


def document(unit):
    machine = {'processor': 'P', 'cores': 2, 'memory_gib': 1, 'kernel': '6.1', 'file_system': 'ext4', 'java': '17'}
    return {'unit': unit, 'quick': False, 'rounds': 3, 'seconds': 1.0, 'machine': machine,
            'versions': {'aviary': '1.0', 'apache': '3.8.0'}, 'results': found(unit)}


class Page(unittest.TestCase):
    def setUp(self):
        self.out = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.out)

    def write(self, units=UNITS):
        for unit in units:
            results.save(self.out, unit, document(unit))
        with open(pages.write(self.out, DOCS)) as f:
            return f.read()

    def test_every_unit_has_its_place_and_every_picture_is_there(self):
        text = self.write()
        self.assertNotIn('Not measured yet', text)
        pictures = re.findall(r'!\[.*?\]\((.*?)\)', text)
        self.assertGreaterEqual(len(pictures), len(UNITS))
        for picture in pictures:
            xml.dom.minidom.parse(os.path.join(self.out, picture))

    def test_the_same_numbers_make_the_same_bytes(self):
        first = self.write(), self.files()
        self.assertEqual(first, (self.write(), self.files()))

    def files(self):
        folder = os.path.join(self.out, 'benchmarks')
        found = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), 'rb') as f:
                found[name] = f.read()
        return found

    def test_what_was_not_measured_stays(self):
        with open(os.path.join(DOCS, 'benchmarks.md')) as f:
            before = f.read()
        after = self.write(['start'])
        outside = re.compile(r'<!-- bench:(?:start|machine) .*?<!-- bench end -->', re.S)
        self.assertNotEqual(before, after)
        self.assertEqual(outside.sub('', before), outside.sub('', after))

    def test_a_failed_run_is_a_dash_and_is_complained_of(self):
        self.assertIn('| create | - | - | - | 5 | 5 | 5 | - | - | - | - |', pages.summary(document('workloads-single')))
        self.assertEqual(['u create aviary: it broke'], results.complaints(found('workloads-single'), 'u'))


class Numbers(unittest.TestCase):
    def test_a_run_that_says_nothing_is_a_failure(self):
        good = {'ops_per_s': 5, 'seconds': 3.1}
        self.assertEqual(good, checked(good, 3))
        self.assertIn('failed', checked({'ops_per_s': 0, 'seconds': 3}, 3))
        self.assertIn('failed', checked({'ops_per_s': 5, 'seconds': 9}, 3))
        self.assertEqual('2 errors', complaint({'errors': 2, 'lost': 0}))
        self.assertEqual(2, median([{'k': 1}, {'k': 2}, {'k': 9}], 'k'))
        self.assertIsNone(median([{'k': 1}, *FAILED], 'k'))

    def test_scales_place_everything_inside(self):
        for values in ([1, 1000], [0, 10, 1e6], [5], [0], [0.031, 0.9], [20, 26.6, 159]):
            for scale in (Linear(values), Log(values)):
                places = [scale.place(v) for v in (*values, *scale.ticks)]
                self.assertTrue(all(-1e-9 <= p <= 1 + 1e-9 for p in places), (scale, values, places))
                self.assertEqual(sorted(scale.ticks), scale.ticks)
                self.assertGreaterEqual(len(scale.ticks), 2)

    def test_labels_are_short(self):
        self.assertEqual(['0', '0.05', '1.5k', '2M'], [label(v) for v in (0, 0.05, 1500, 2e6)])

    def test_there_is_no_plot_of_nothing(self):
        empty = lines.Panel('p', lines.Axis('x'), lines.Axis('y'), {'aviary': []})
        self.assertIsNone(lines.plot('t', [empty]))
        self.assertIsNone(rows.plot('t', 'x', {'a': {'aviary': []}}, {}))


class CommandLine(unittest.TestCase):
    def test_names_choose_units_and_workloads(self):
        chosen = parse(['--only', 'start,reads,get', '--topology', 'single'])
        self.assertEqual((['reads-single', 'start'], ['get']), (chosen.units, chosen.workloads))
        self.assertEqual((5, 3.0, DOCS), (chosen.rounds, chosen.seconds, chosen.out))

    def test_quick_figures_stay_out_of_docs(self):
        self.assertNotEqual(DOCS, parse(['--quick']).out)


if __name__ == '__main__':
    unittest.main()
