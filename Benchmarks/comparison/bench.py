"""What every section is given: the servers, the options, and a place for their files."""
import tempfile

from .load import SIZES, Tools, by_turns
from .servers import Ensemble

# At most so many for what repeats itself closely and takes long.
FEW_ROUNDS = 3


class Bench:
    def __init__(self, options, ports, progress, directory):
        self.servers = options.servers  # name and command, in the order of the columns
        self.rounds, self.seconds, self.is_quick = options.rounds, options.seconds, options.quick
        self.ports, self.progress = ports, progress
        self.directory = directory
        self.tools = Tools(directory)
        self.versions = {}
        self.started = []

    @property
    def few_rounds(self):
        return min(self.rounds, FEW_ROUNDS)

    def pick(self, full, quick):
        return quick if self.is_quick else full

    def folder(self, prefix):
        return tempfile.TemporaryDirectory(prefix=prefix + '-', dir=self.directory)

    def ensemble(self, name, command, size, folder, **more):
        starts = more.pop('start', True)
        ensemble = Ensemble(name, command, size, folder, ports=self.ports, start=False, **more)
        self.started.append(ensemble)
        if starts:
            ensemble.start()
            self.note_version(ensemble)
        return ensemble

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for ensemble in self.started:
            ensemble.kill()

    def note_version(self, ensemble):
        if ensemble.name not in self.versions and ensemble.name != 'floor':
            self.versions[ensemble.name] = ensemble.version()

    def compare(self, topology, cases, label, with_floor=False, **more):
        """Rows of zkload for cases on servers that all run at the same time; see by_turns."""
        size = topology if isinstance(topology, int) else SIZES[topology]
        kinds = list(self.servers.items())
        if with_floor and size == 1:
            kinds.append(('floor', self.tools.path('floor') + ' {port}'))
        with self.folder('compare') as folder:
            up = []
            try:
                for name, command in kinds:
                    up.append(self.ensemble(name, command, size, folder, **more))
                return by_turns(self.tools, up, cases, self.rounds, self.seconds, self.progress, label)
            finally:
                for ensemble in up:
                    ensemble.kill()

    def say(self, text):
        self.progress.line(text)
