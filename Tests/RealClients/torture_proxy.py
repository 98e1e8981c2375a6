"""The network between the members of an ensemble, as a process of its own that breaks it on demand.

It reads one JSON object with the listeners, then one JSON list a line for each order, and answers
each line with one. It ends when its input does. A flow is one direction between two members, and a
pair is two of them:

  ["hold", [[1, 2]]]         what 1 sends to 2 waits (both directions: [[1, 2], [2, 1]])
  ["release", [[1, 2]]]      what waited arrives
  ["delay", [[1, 2]], 0.2]   what 1 sends to 2 takes 0.2 s longer, in order
  ["cut", [[1, 2]]]          connections between the two are reset, also new ones
  ["mend", [[1, 2]]]         new connections work again
  ["reset", [[1, 2]]]        connections between the two are reset once
  ["heal"]                   everything works
  ["count"]                  the answer tells the connections and bytes so far

In the initial message of an election connection a member names the address at which it listens,
and the other connects back there when its id is the larger one. The proxy puts its own address in
the place, so that these connections can be cut as well.
"""
import asyncio
import json
import os
import struct
import sys

CHUNK_BYTES = 1 << 16
CHUNKS_UNDER_WAY = 64


class Flow:
    """One direction between two members."""

    def __init__(self):
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.delay_seconds = 0.0


class Network:

    def __init__(self, listeners):
        """`listeners` are objects with from, to, port, target, and connectBack for election ports:
        the proxy's port at which `to` reaches `from`."""
        self.listeners = listeners
        self.flows = {}
        for one in listeners:
            for flow in ((one['from'], one['to']), (one['to'], one['from'])):
                self.flows.setdefault(flow, Flow())
        self.cut = set()
        self.connections = {}
        self.accepted = self.bytes = 0

    async def listen(self):
        for one in self.listeners:
            await asyncio.start_server(
                lambda reader, writer, one=one: self.carry(one, reader, writer), '127.0.0.1', one['port'])

    async def carry(self, listener, reader, writer):
        """One connection, until both sides have ended it."""
        source, target = listener['from'], listener['to']
        pair = frozenset((source, target))
        if pair in self.cut:
            return writer.transport.abort()
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection('127.0.0.1', listener['target'])
        except OSError:
            return writer.transport.abort()
        ours = self.connections.setdefault(pair, set())
        both = (writer, far_writer)
        ours.add(both)
        if pair in self.cut:
            self.abort(pair)
        connect_back = listener.get('connectBack')
        try:
            await asyncio.gather(
                self.pump(reader, far_writer, self.flows[source, target], connect_back),
                self.pump(far_reader, writer, self.flows[target, source], None))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for one in both:
                one.transport.abort() if one.transport.is_closing() else one.close()
            ours.discard(both)

    async def pump(self, reader, writer, flow, connect_back):
        under_way = asyncio.Queue(CHUNKS_UNDER_WAY)
        loop = asyncio.get_running_loop()

        async def read():
            try:
                if connect_back:
                    await under_way.put((loop.time() + flow.delay_seconds,
                                         await initial_message(reader, connect_back)))
                while chunk := await reader.read(CHUNK_BYTES):
                    await under_way.put((loop.time() + flow.delay_seconds, chunk))
            except (OSError, asyncio.IncompleteReadError):
                pass
            await under_way.put((loop.time() + flow.delay_seconds, b''))

        reading = asyncio.create_task(read())
        try:
            while True:
                due, chunk = await under_way.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                await flow.is_open.wait()
                if not chunk:
                    return writer.write_eof() if not writer.transport.is_closing() else None
                self.bytes += len(chunk)
                writer.write(chunk)
                await writer.drain()
        finally:
            reading.cancel()

    def abort(self, pair):
        for both in self.connections.get(pair, set()):
            for one in both:
                one.transport.abort()

    def obey(self, order):
        name, flows = order[0], [tuple(flow) for flow in (order[1] if len(order) > 1 else self.flows)]
        pairs = {frozenset(flow) for flow in flows}
        if name == 'hold':
            for flow in flows:
                self.flows[flow].is_open.clear()
        elif name in ('release', 'heal'):
            for flow in flows:
                self.flows[flow].is_open.set()
        if name == 'delay':
            for flow in flows:
                self.flows[flow].delay_seconds = order[2]
        elif name == 'heal':
            for flow in flows:
                self.flows[flow].delay_seconds = 0.0
            self.cut.clear()
        elif name == 'cut':
            self.cut |= pairs
        elif name == 'mend':
            self.cut -= pairs
        if name in ('cut', 'reset'):
            for pair in pairs:
                self.abort(pair)
        return {'accepted': self.accepted, 'bytes': self.bytes}


async def initial_message(reader, connect_back):
    """The first message of an election connection, with the proxy's address for the member's."""
    head = await reader.readexactly(20)
    _, _, size = struct.unpack('>qqi', head)
    address = await reader.readexactly(min(max(size, 0), 4096))
    host = address.decode().rpartition(':')[0]
    address = f'{host}:{connect_back}'.encode()
    return head[:16] + struct.pack('>i', len(address)) + address


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    network = Network(json.loads(await lines.readline()))
    await network.listen()
    print('{}', flush=True)
    while line := await lines.readline():
        print(json.dumps(network.obey(json.loads(line))), flush=True)
    # Connections that are open have nobody to end for.
    os._exit(0)


if __name__ == '__main__':
    loop = asyncio.new_event_loop()
    # A connection that is reset while it is opened is none of our business.
    loop.set_exception_handler(lambda *_: None)
    loop.run_until_complete(main())
