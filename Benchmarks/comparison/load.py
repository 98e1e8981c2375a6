"""Runs zkload and the other programs in C against servers, by turns."""
import json
import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIZES = {'single': 1, 'ensemble': 3}
LONGEST_WARM_UP_SECONDS = 2.0
ABOUT_THE_RUN = ('workload', 'conns', 'depth', 'size', 'root')


class Tools:
    """The programs of this folder, compiled when they are first needed."""

    def __init__(self, directory):
        self.directory = directory

    def path(self, name):
        built = os.path.join(self.directory, name)
        if not os.path.exists(built):
            source = os.path.join(HERE, name + '.c')
            subprocess.run(['cc', '-O2', '-o', built, source], check=True)
        return built


def outcome(run):
    """The numbers that a program printed, or {'failed': why}."""
    if not run.stdout.startswith('{'):
        return {'failed': run.stderr.strip() or f'ended with code {run.returncode}'}
    row = json.loads(run.stdout)
    return {key: value for key, value in row.items() if key not in ABOUT_THE_RUN}


def run(program, ensemble, words, limit):
    """One run of a program against an ensemble, or a part of one."""
    command = [program, '-a', ensemble.target, '-p', ensemble.pids, *map(str, words)]
    try:
        return outcome(subprocess.run(command, capture_output=True, text=True, timeout=limit))
    except subprocess.TimeoutExpired:
        return {'failed': f'no end after {limit:.0f} s'}


def zkload(tools, ensemble, words, seconds, warm_up=0.5):
    words = [*words, '-t', seconds, '-u', warm_up]
    return run(tools.path('zkload'), ensemble, words, seconds * 5 + 90)


def checked(row, seconds):
    """A row whose time says something, or {'failed': why}."""
    if 'failed' in row:
        return row
    if not row['ops_per_s']:
        return {'failed': 'nothing was done in the time'}
    if row['seconds'] > seconds * 1.2 + 0.5:
        return {'failed': f'the load was held up: {row["seconds"]} s in place of {seconds} s'}
    return row


def takes(ensemble, words):
    """The floor knows reads, writes and watches of one node, and sessions, and nothing else."""
    known = ('get', 'set', 'mixed', 'watch', 'connect')
    return ensemble.name != 'floor' or words[words.index('-w') + 1] in known


def in_turn(ensembles, round_number):
    """Whoever is measured second can look better by a fifth, so each is every other time."""
    return ensembles if round_number % 2 else ensembles[::-1]


def by_turns(tools, ensembles, cases, rounds, seconds, progress, label):
    """Every case on every ensemble in every round: a drift of the machine hits all of them alike.

    `cases` has the words for zkload by name. Round 0 warms up. The rows of each round by case and ensemble.
    """
    rows = {case: {e.name: [] for e in ensembles if takes(e, words)} for case, words in cases.items()}
    for number in range(rounds + 1):
        length = seconds if number else min(LONGEST_WARM_UP_SECONDS, seconds)
        for case, words in cases.items():
            for ensemble in in_turn(ensembles, number):
                if ensemble.name not in rows[case]:
                    continue
                progress.passing(f'  {label}: {case}, {ensemble.name}')
                row = checked(zkload(tools, ensemble, words, length), length)
                if number:
                    rows[case][ensemble.name].append(row)
        progress.line(f'{label}: ' + (f'round {number} of {rounds} done' if number else 'warmed up'))
    return rows


def median(rows, key):
    """None where there is no row, or one failed."""
    if not rows or any('failed' in row for row in rows):
        return None
    return statistics.median(row[key] for row in rows)


def complaint(row):
    """What makes a row worthless, or nothing."""
    if 'failed' in row:
        return row['failed']
    bad = [f'{row[key]} {words}' for key, words in
           (('errors', 'errors'), ('order_errors', 'replies out of order'), ('lost', 'connections lost'),
            ('lost_writes', 'acknowledged writes lost'))
           if row.get(key)]
    return ', '.join(bad)
