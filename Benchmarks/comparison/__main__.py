"""Scripts/bench: measures unit after unit, and writes each down when it is done."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from . import machine, options, pages, results
from .bench import Bench
from .progress import Progress, duration
from .sections import UNITS, workloads
from .servers import Failed, Ports, raise_limits

APACHE_JAR = '/usr/share/java/zookeeper.jar'


def main():
    chosen = options.parse()
    # As Ctrl-C does: the servers are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run(chosen)
    except KeyboardInterrupt:
        print('\nbench: interrupted; the units that were done are written', file=sys.stderr)
        return 130


def run(chosen):
    if chosen.render:
        print(f'wrote {pages.write(chosen.out, options.DOCS)}')
        return 0
    check_programs(chosen)
    raise_limits()
    progress = Progress()
    ports = Ports(chosen.first_port, chosen.last_port)
    with tempfile.TemporaryDirectory(prefix='aviary-bench-', dir=chosen.directory) as folder, \
            Bench(chosen, ports, progress, folder) as bench:
        bad = look(chosen, bench) if chosen.workloads else []
        for unit in chosen.units:
            try:
                bad += measure(unit, chosen, bench)
            except (Failed, OSError) as error:
                # The others may be well; a part of the page that could not be made stays as it was.
                bad.append(f'{unit}: {error}')
                progress.problem(bad[-1])
    for complaint in bad:
        progress.problem(f'failed: {complaint}')
    return 1 if bad else 0


def check_programs(chosen):
    missing = [program for program in ('cc', 'java') if not shutil.which(program)]
    if missing:
        sys.exit(f'bench: {" and ".join(missing)} cannot be found; install gcc and a Java runtime')
    if APACHE_JAR in chosen.peer and not os.path.exists(APACHE_JAR):
        sys.exit('bench: there is no Apache ZooKeeper; apt-get install zookeeper, or name another with --peer')
    if not chosen.aviary:
        subprocess.run(['swift', 'build', '-c', 'release', '--product', 'aviary'], cwd=options.ROOT, check=True)
    elif not os.access(chosen.aviary, os.X_OK):
        sys.exit(f'bench: {chosen.aviary} is no program; build it, or leave --aviary away')


def measure(unit, chosen, bench):
    """One unit: its JSON file, its plots and its part of the page, all at once. What was wrong in it."""
    _, topology, measure_unit = UNITS[unit]
    bench.progress.title(unit)
    began = bench.progress.elapsed()
    found = measure_unit(bench, topology)
    seconds = bench.progress.elapsed() - began
    document = {'unit': unit, 'quick': chosen.quick, 'rounds': chosen.rounds, 'seconds': chosen.seconds,
                'took_seconds': round(seconds), 'versions': dict(bench.versions),
                'machine': machine.describe(bench.directory), 'results': found}
    results.save(chosen.out, unit, document)
    page = pages.write(chosen.out, options.DOCS)
    bench.progress.line(f'{unit}: {duration(seconds)}; written to {page}')
    print(pages.summary(document), flush=True)
    return results.complaints(found, unit)


def look(chosen, bench):
    """Some workloads, shown and not written."""
    bad = []
    for topology in ('single', 'ensemble') if chosen.topology == 'both' else (chosen.topology,):
        found = workloads.measure(bench, topology, chosen.workloads)
        print(pages.summary({'unit': f'workloads-{topology}', 'results': found}), flush=True)
        bad += results.complaints(found, topology)
    return bad


if __name__ == '__main__':
    sys.exit(main())
