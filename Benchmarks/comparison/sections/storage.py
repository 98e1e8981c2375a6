"""A server whose files outlive it, and when it writes snapshots."""
import glob
import os
import time

from ..load import complaint, run
from ..servers import Failed

# No snapshot is due while the server runs, and none has to be there when it starts.
LOGS = ('snapCount=1000000000', 'snapSizeLimitInKb=-1', 'snapshot.trust.empty=true')
# Snapshots one after the other, whatever the size of the tree.
OFTEN = ('snapCount=1000000000', 'snapSizeLimitInKb=64', 'snapshot.trust.empty=true')
LONGEST_SNAPSHOT_SECONDS = 300
LONGEST_START_SECONDS = 300
LONGEST_LOAD_SECONDS = 600
HEAP = '4g'


def fill(bench, ensemble, nodes):
    words = ['-w', 'fill', '-n', nodes, '-s', 100]
    said = complaint(run(bench.tools.path('zkload'), ensemble, words, LONGEST_LOAD_SECONDS))
    if said:
        raise Failed(f'{ensemble.name} could not be filled with {nodes} nodes: {said}')


class Stored:
    """One server of a kind with its directory."""

    def __init__(self, bench, name, folder):
        self.name = name
        self.ensemble = bench.ensemble(name, bench.servers[name], 1, folder, settings=LOGS, heap=HEAP, start=False)
        self.member = self.ensemble.members[0]

    def start(self, settings=LOGS):
        """The seconds from the start of the process to its first answer to a getData."""
        self.ensemble.configure(settings)
        began = time.monotonic()
        self.ensemble.start(LONGEST_START_SECONDS)
        return time.monotonic() - began

    def stop(self):
        self.ensemble.stop()

    def fill(self, bench, nodes):
        self.start()
        bench.note_version(self.ensemble)
        fill(bench, self.ensemble, nodes)
        self.stop()

    def snapshots(self):
        return set(glob.glob(os.path.join(self.member.data, 'version-2', 'snapshot.*')))

    def unfinished(self):
        """Aviary's have another name until they are whole."""
        return glob.glob(os.path.join(self.member.data, 'version-2', 'tmp.*'))

    def wait_for_snapshot(self):
        end = time.monotonic() + LONGEST_SNAPSHOT_SECONDS
        while not self.snapshots() or self.unfinished():
            if time.monotonic() > end:
                raise Failed(f'{self.name} wrote no snapshot within {LONGEST_SNAPSHOT_SECONDS} s')
            time.sleep(0.05)

    def forget_snapshots(self):
        for path in glob.glob(os.path.join(self.member.data, 'version-2', '*snapshot.*')):
            os.unlink(path)
