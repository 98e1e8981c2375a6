"""Makes docs/benchmarks.md and its plots from the JSON files alone.

The page holds prose, and between two comments for each unit what is made here. A unit that was not
measured keeps what it has.
"""
import os
import re

from .. import results
from ..sections import UNITS
from . import connections, failover, gaps, machine, memory, paper, reads, start, workloads

PARTS = {
    'workloads-single': workloads.part,
    'workloads-ensemble': workloads.part,
    'connections-single': connections.part,
    'connections-ensemble': connections.part,
    'reads-single': reads.part,
    'reads-ensemble': reads.part,
    'memory': memory.part,
    'start': start.part,
    'gaps': gaps.part,
    'failover': failover.part,
    'saturation': paper.saturation,
    'creates': paper.creates,
    'barriers': paper.barriers,
}


class Plots:
    """Takes the plots of a unit; plot() gives the line of Markdown that shows one."""

    def __init__(self, directory=None):
        self.directory = directory
        self.files = []

    def plot(self, name, title, svg):
        if svg is None or self.directory is None:
            return ''
        with open(os.path.join(self.directory, name + '.svg'), 'w') as f:
            f.write(svg)
        return f'![{title}](benchmarks/{name}.svg)'


def write(out, docs):
    """The page's path."""
    page = os.path.join(out, 'benchmarks.md')
    source = page if os.path.exists(page) else os.path.join(docs, 'benchmarks.md')
    with open(source) as f:
        text = f.read()
    documents = {unit: results.load(out, unit) for unit in UNITS}
    plots = Plots(os.path.join(out, 'benchmarks'))
    for unit, document in documents.items():
        if document:
            text = replace(text, unit, part(document, plots))
    if any(documents.values()):
        text = replace(text, 'machine', machine.part([d for d in documents.values() if d]))
    os.makedirs(out, exist_ok=True)
    with open(page, 'w') as f:
        f.write(text)
    return page


def replace(text, name, content):
    pattern = re.compile(rf'(<!-- bench:{name} .*?-->\n).*?(<!-- bench end -->)', re.S)
    if len(pattern.findall(text)) != 1:
        raise SystemExit(f'bench: the page needs one <!-- bench:{name} ... --> with its <!-- bench end -->')
    return pattern.sub(lambda found: found[1] + content.strip() + '\n' + found[2], text)


def part(document, plots):
    paragraphs = PARTS[document['unit']](document, plots)
    if document.get('quick'):
        paragraphs.insert(0, '**Measured with `--quick`: these figures say nothing.**')
    return '\n\n'.join(paragraph for paragraph in paragraphs if paragraph)


def summary(document):
    """The tables, for a terminal."""
    return part(document, Plots())
