"""The command line of Scripts/bench."""
import argparse
import os

from .sections import SECTIONS, UNITS
from .sections.workloads import WORKLOADS
from .servers import APACHE

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOCS = os.path.join(ROOT, 'docs')
# Figures that say nothing do not go into docs by mistake.
QUICK = os.path.join(ROOT, '.build', 'bench')
RELEASE = os.path.join(ROOT, '.build', 'release', 'aviary')

DESCRIPTION = """\
Measures Aviary beside Debian's Apache ZooKeeper and the kernel's own cost, by turns, on this machine,
and writes docs/benchmarks.md, with the raw numbers and the plots in docs/benchmarks/.

Each unit writes its part when it is done, so they can be run one by one; the rest of the page stays.
The names of workloads, as in --only get,set, are measured and shown, and nothing is written.
"""
EPILOG = f"""\
sections: {', '.join(SECTIONS)}
units:    {', '.join(UNITS)}
workloads: {', '.join(WORKLOADS)}

examples:
  Scripts/bench                             everything: about two hours on a quiet machine
  Scripts/bench --quick                     everything, much shortened; its figures say nothing
  Scripts/bench --only connections,start    two sections
  Scripts/bench --only get,set --rounds 5   two workloads, for a look
  Scripts/bench --render                    the page and the plots again, from the numbers that are there

Wants cc, python3, java and Debian's package zookeeper, and Swift unless --aviary names a program.
"""


def parser():
    p = argparse.ArgumentParser(prog='Scripts/bench', description=DESCRIPTION, epilog=EPILOG,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--only', metavar='NAMES', help='sections, units or workloads, with commas between')
    p.add_argument('--topology', choices=('single', 'ensemble', 'both'), default='both',
                   help='what needs a server by itself, or several (default: both)')
    p.add_argument('--rounds', type=int, help='of each measurement (default: 5, with --quick 1); memory, start '
                   'and gaps take at most 3, barriers 1')
    p.add_argument('--seconds', type=float, help='of load in a round (default: 3, with --quick 0.5)')
    p.add_argument('--quick', action='store_true', help='few points, small trees, one round')
    p.add_argument('--out', metavar='DIRECTORY', help='where benchmarks.md and benchmarks/ go (default: docs, '
                   'with --quick .build/bench); the first page there is made from that of docs')
    p.add_argument('--render', action='store_true', help='measure nothing')
    p.add_argument('--aviary', metavar='PATH', help='a program (default: the release build, which is made first)')
    p.add_argument('--peer', default=APACHE, metavar='COMMAND', help='of the other server; {cfg} is its zoo.cfg, '
                   '{heap} how much memory it may have')
    p.add_argument('--ports', default='20000-29999', metavar='FIRST-LAST', help='default: %(default)s')
    p.add_argument('--directory', metavar='PATH', help="where the servers' files go (default: the system's)")
    return p


def parse(arguments=None):
    p = parser()
    options = p.parse_args(arguments)
    for name, full, quick in (('rounds', 5, 1), ('seconds', 3.0, 0.5), ('out', DOCS, QUICK)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else full)
    if options.rounds < 1 or options.seconds < 0.1:
        p.error('--rounds takes 1 or more, and --seconds 0.1 or more')
    try:
        options.first_port, options.last_port = map(int, options.ports.split('-'))
    except ValueError:
        p.error(f'--ports takes FIRST-LAST, as in 20000-29999, not {options.ports}')
    options.units, options.workloads = choose(options, p)
    options.servers = {'aviary': f'{options.aviary or RELEASE} server {{cfg}}', 'apache': options.peer}
    return options


def choose(options, p):
    """The units and the workloads that --only and --topology leave."""
    names = options.only.split(',') if options.only else SECTIONS
    wrong = [n for n in names if n not in SECTIONS and n not in UNITS and n not in WORKLOADS]
    if wrong:
        p.error(f'there is nothing called {", ".join(wrong)} to measure; --help lists what there is')
    units = [unit for unit, (section, topology, _) in UNITS.items()
             if (section in names or unit in names) and options.topology in (topology, 'both')]
    workloads = [name for name in names if name in WORKLOADS]
    if not units and not workloads:
        p.error(f'nothing of {options.only} is measured with --topology {options.topology}')
    return units, workloads
