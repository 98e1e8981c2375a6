"""What looks on while a server is attacked: a normal client in a process of its own, which must not
notice, and the kernel."""
import multiprocessing
import os
import pathlib
import signal
import struct
import time

import rawclient

PAUSE_SECONDS = 0.01
# Above this the client gives up: the server hangs.
LIMIT_SECONDS = 60.0
SESSION_MILLISECONDS = 20000

fork = multiprocessing.get_context('fork')


class Bystander:
    """Sets, reads and watches a node of its own, one request after the other, until told to end.

    `longest` is the longest reply since it was last asked for; `fault` is what went wrong."""

    def __init__(self, address):
        self.address = address
        self.worst = fork.Value('d', 0.0)
        self.asked_at = fork.Value('d', 0.0)
        self.served = fork.Value('q', 0)
        self.stopping = fork.Value('b', 0)
        self.text = fork.Array('c', 400)
        self.identity = fork.Value('q', 0)
        self.process = fork.Process(target=self._run, daemon=True)

    def start(self):
        self.process.start()
        end = time.monotonic() + 20
        while not self.served.value and not self.fault and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self):
        """Lets the client finish, and close its session."""
        self.stopping.value = 1
        self.process.join(LIMIT_SECONDS + 5)

    @property
    def fault(self):
        return self.text.value.decode(errors='replace')

    def take_longest(self):
        """Seconds, of the replies that came since the last call and of the one that is awaited."""
        longest, self.worst.value = self.worst.value, 0.0
        asked = self.asked_at.value
        return max(longest, time.monotonic() - asked if asked else 0.0)

    def _run(self):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            os.nice(-10)
        except OSError:
            pass
        try:
            self._live()
        except Exception as fault:
            if not self.stopping.value:
                self.text.value = f'{type(fault).__name__}: {fault}'.encode()[:399]
        self.asked_at.value = 0.0
        os._exit(0)

    def _live(self):
        client = rawclient.RawClient(self.address, SESSION_MILLISECONDS, limit=LIMIT_SECONDS)
        self.identity.value = client.session[0]
        self._call(client, rawclient.CREATE, rawclient.create_record('/bystander', b''))
        self._call(client, rawclient.CREATE,
                   rawclient.create_record('/bystander/alive', b'', rawclient.EPHEMERAL))
        number, parent = 0, os.getppid()
        while not self.stopping.value and os.getppid() == parent:
            number += 1
            self._round(client, number)
            self.served.value += 1
            time.sleep(PAUSE_SECONDS)
        client.close_session()

    def _round(self, client, number):
        """One watch, the write that fires it, and reads."""
        value = struct.pack('>q', number)
        self._call(client, rawclient.GET_DATA, rawclient.watch_record('/bystander', True))
        self._call(client, rawclient.SET_DATA, rawclient.set_record('/bystander', value), event=True)
        reply = self._call(client, rawclient.GET_DATA, rawclient.watch_record('/bystander'))
        if reply.body.buffer() != value:
            raise AssertionError('the node does not hold what was written last')
        reply = self._call(client, rawclient.GET_DATA, rawclient.watch_record('/bystander/alive'))
        reply.body.buffer()
        if reply.body.stat()['ephemeralOwner'] != client.session[0]:
            raise AssertionError('the ephemeral node has another owner')

    def _call(self, client, code, record, event=False):
        """The reply, which must be without an error, and behind an event if one is due."""
        began = self.asked_at.value = time.monotonic()
        client.send(code, record)
        if event and rawclient.Reply(client.frame()).xid != -1:
            raise AssertionError('a write came before the event of its watch')
        reply = rawclient.Reply(client.frame())
        taken = time.monotonic() - began
        self.asked_at.value = 0.0
        self.worst.value = max(self.worst.value, taken)
        if reply.xid != client.xid or reply.error:
            raise AssertionError(f'error {reply.error} to xid {reply.xid}, expected xid {client.xid}')
        return reply


class Process:
    """What the kernel knows of the server."""

    def __init__(self, server):
        self.identity = server.process.pid
        self.directory = pathlib.Path(f'/proc/{self.identity}')

    def megabytes(self, field='VmRSS'):
        for line in (self.directory / 'status').read_text().splitlines():
            if line.startswith(field + ':'):
                return int(line.split()[1]) / 1024
        return 0.0

    def forget_peak(self):
        try:
            (self.directory / 'clear_refs').write_text('5')
        except OSError:
            pass

    def descriptors(self):
        return len(os.listdir(self.directory / 'fd'))
