"""Plays the recorded exchanges of ZooKeeper 3.9.5 against a live server, byte by byte."""
import re
import subprocess
import sys

import harness

SETTINGS = ('extendedTypesEnabled=true', 'enforceQuota=true', harness.SUPER_DIGEST)
HERE = harness.ROOT / 'Tests' / 'RealClients'


def known_differences():
    """The exchanges that may differ, each with the reason."""
    name = 'known-differences-apache-3.8.0.txt' if harness.is_apache() else 'known-differences.txt'
    known = {}
    for line in (HERE / name).read_text().splitlines():
        exchange, _, reason = line.partition('#')
        if exchange.strip():
            known[exchange.strip()] = reason.strip()
    return name, known


class WireTests(harness.ServerCase):
    settings = SETTINGS

    def test_every_recorded_exchange_is_answered_as_recorded(self):
        replay = harness.FIXTURES / 'client-wire' / 'replay.py'
        command = [sys.executable, str(replay), self.server.hosts, '-v', '--strict-zxid']
        run = subprocess.run(command, capture_output=True, text=True, timeout=140)
        passed = set(re.findall(r'^ok   (\S+)$', run.stdout, re.M))
        reports = dict(re.findall(r'^FAIL (\S+): (.*?)(?=^ok   |^FAIL |^\d+ passed)', run.stdout,
                                  re.M | re.S))
        recorded = {path.stem for path in replay.parent.glob('*.json')}
        self.assertEqual(passed | set(reports), recorded, f'not all were played\n{run.stderr}')
        name, known = known_differences()
        self.assertEqual([], [one for one in known if not known[one]], f'{name} gives no reason')
        self.assertEqual(set(), set(known) & passed, f'listed in {name}, and does not differ')
        unlisted = sorted(set(reports) - set(known))
        self.assertEqual([], unlisted, '\n' + '\n'.join(f'{one}: {reports[one]}' for one in unlisted))


if __name__ == '__main__':
    harness.main()
