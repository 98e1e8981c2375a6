"""Ports for ensembles that run at the same time."""
import fcntl
import os
import pathlib
import random
import socket
import tempfile

import harness

# Above the ports that the system gives to clients, and that `harness.free_port` gives to servers.
PORTS = range(61000, 65500)
PORTS_OF_AN_ENSEMBLE = 24


class Ports:
    """Ports that no other ensemble takes while this object is kept: a lock on a file says so, which
    ends with the process."""

    def __init__(self):
        folder = pathlib.Path(tempfile.gettempdir()) / f'aviary-ports-{os.getuid()}'
        folder.mkdir(exist_ok=True)
        blocks = list(range(PORTS.start, PORTS.stop - PORTS_OF_AN_ENSEMBLE, PORTS_OF_AN_ENSEMBLE))
        random.shuffle(blocks)
        for first in blocks:
            self.lock = open(folder / str(first), 'a')
            self.free = list(range(first, first + PORTS_OF_AN_ENSEMBLE))
            if self.is_taken() and all(map(can_listen, self.free)):
                return
            self.lock.close()
        raise harness.StartRefused(f'no {PORTS_OF_AN_ENSEMBLE} free ports in a row in {PORTS}')

    def is_taken(self):
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def next(self):
        return self.free.pop(0)

    def give_back(self):
        self.lock.close()


def can_listen(port):
    with socket.socket() as listener:
        try:
            listener.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True
