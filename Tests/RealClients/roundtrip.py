"""What a data directory carries from one server to another: changes of every kind, sessions, things
that end by themselves, and writers that a kill interrupts."""
import collections
import struct
import threading

import harness
import history
import rawclient
from rawclient import CHECK, CREATE, DELETE, EPHEMERAL, GET_CHILDREN2, GET_DATA, MULTI, SEQUENCE, SET_DATA

GET_ACL, SET_ACL, CREATE2, CREATE_CONTAINER, CREATE_TTL = 6, 7, 15, 19, 21
CONTAINER, WITH_TTL, SEQUENTIAL_WITH_TTL = 4, 5, 6
LONG_TTL_MILLISECONDS = (1 << 40) - 1
SHORT_TTL_MILLISECONDS = 200
KEPT_MILLISECONDS = 40000
SHORT_MILLISECONDS = 500
READ_AT_ONCE = 40
QUOTA = '/zookeeper/quota'
# Left to end by itself, by the reaper or with a session: before the kill or after the next start.
PASSING = '/passing'
LIVE = '/live'
COUNTER = '/counter'


def done(reply, error=0):
    """The reply, which must have this error."""
    if reply.error != error:
        raise AssertionError(f'answered with {reply.error}, not {error}')
    return reply


def super_client(server, **options):
    client = server.client(**options)
    done(client.authenticate('digest', harness.SUPER_USER))
    return client


def create_ttl(path, data, flags, milliseconds):
    return rawclient.create_record(path, data, flags) + struct.pack('>q', milliseconds)


def read(server, root='/'):
    """Every path from `root` with its data, stat, ACL and children, as `history.read`, many requests
    at a time."""
    client = super_client(server)
    tree = {}
    level = [root]
    while level:
        paths, level = level[:READ_AT_ONCE], level[READ_AT_ONCE:]
        requests = [client.encode(code, record) for path in paths for code, record in (
            (GET_DATA, rawclient.watch_record(path)), (GET_ACL, rawclient.text(path)),
            (GET_CHILDREN2, rawclient.watch_record(path)))]
        client.socket.sendall(b''.join(requests))
        for path in paths:
            tree[path] = read_node(client, path)
            level += [path.rstrip('/') + '/' + child for child in tree[path]['children']]
    client.close_session()
    return tree


def read_node(client, path):
    body = done(client.receive()).body
    data, stat = body.buffer(), body.stat()
    body = done(client.receive()).body
    acl = [(body.unpack('>i'), body.text(), body.text()) for _ in range(body.unpack('>i'))]
    stats = [stat, body.stat()]
    body = done(client.receive()).body
    children = sorted(body.text() for _ in range(body.unpack('>i')))
    if any(other != stat for other in (*stats, body.stat())):
        raise AssertionError(f'{path}: getData, getACL and getChildren tell different stats')
    fields = {name: value for name, value in stat.items()
              if name not in history.NOT_COMPARED.get(path, ())}
    return {'data': data, 'stat': fields, 'acl': acl, 'children': children}


def lasting(tree):
    """The nodes that change only when somebody asks for it. Apache itself counts a node for the
    nearest quota above it as it changes, and for all of them when it reads a snapshot."""
    nodes = {path: node for path, node in tree.items() if not path.startswith((PASSING, LIVE + '/'))}
    for path in nodes.keys() & {statistics_of(outer) for outer in tree if outer.endswith('/quota')}:
        nodes[path] = dict(nodes[path], data=None)
    return nodes


def statistics_of(path):
    return f'{QUOTA}{path}/zookeeper_stats'


def write(server, root, kept):
    """Changes of every kind below the new node `root`; `kept` is a client whose session stays."""
    history.write(server, root, kept)
    client = super_client(server)
    expired = root + '/eph/expired'
    short = server.client(timeout_milliseconds=SHORT_MILLISECONDS)
    done(short.create(expired, b'', EPHEMERAL))
    done(short.create(expired, b'', EPHEMERAL | SEQUENCE))
    short.abandon()
    reaped = ending(client, root + '/reaped')
    kinds(client, root + '/kinds')
    access_lists(client, root + '/lists')
    quotas(client, root)
    failures(client, root + '/kinds')
    wait_until_gone(client, [expired, *reaped])
    client.close_session()


def kinds(client, root):
    """The kinds of create that `history` leaves out, long paths and large values."""
    done(client.call(CREATE2, rawclient.create_record(root, None)))
    done(client.call(CREATE2, rawclient.create_record(root + '/seq-', b'', SEQUENCE)))
    done(client.call(CREATE2, rawclient.create_record(root + '/eph', b'', EPHEMERAL)))
    done(client.call(CREATE_CONTAINER, rawclient.create_record(root + '/container', b'c', CONTAINER)))
    done(client.create(root + '/container/child', b''))
    done(client.call(CREATE_CONTAINER, rawclient.create_record(root + '/unused', None, CONTAINER)))
    for name, flags in (('/ttl', WITH_TTL), ('/ttl-', SEQUENTIAL_WITH_TTL), ('/ttl-', SEQUENTIAL_WITH_TTL)):
        done(client.call(CREATE_TTL, create_ttl(root + name, b'ttl', flags, LONG_TTL_MILLISECONDS)))
    done(client.call(SET_DATA, rawclient.set_record(root + '/ttl', None)))
    deep = root + '/deep'
    for n in range(120):
        client.send(CREATE, rawclient.create_record(deep, b'%d' % n))
        deep += f'/глубоко-{n}' if n % 2 else '/深'
    for n in range(120):
        done(client.receive())
    done(client.create(root + '/large', bytes(range(256)) * 1000))
    done(client.call(SET_DATA, rawclient.set_record(root + '/large', b'\xff' * 200000)))
    done(client.create(root + '/multi'))
    parts = [(CREATE, rawclient.create_record(root + '/multi/a', None)),
             (CREATE2, rawclient.create_record(root + '/multi/b-', b'b', SEQUENCE)),
             (CREATE_CONTAINER, rawclient.create_record(root + '/multi/c', b'c', CONTAINER)),
             (CREATE_TTL, create_ttl(root + '/multi/t', b't', WITH_TTL, LONG_TTL_MILLISECONDS)),
             (SET_DATA, rawclient.set_record(root + '/multi/a', b'', 0)),
             (CHECK, rawclient.version_record(root + '/multi/a', 1)),
             (DELETE, rawclient.version_record(root + '/multi/t'))]
    done(client.call(MULTI, rawclient.multi_record(parts)))
    done(client.call(MULTI, rawclient.multi_record([])))
    done(client.call(MULTI, rawclient.multi_record([(CHECK, rawclient.version_record(root))])))


def access_lists(client, root):
    """Lists of several schemes, and one that many nodes share and all but one let go."""
    done(client.authenticate('digest', 'bob:secret'))
    several = [(31, 'auth', ''), (1, 'world', 'anyone'), (5, 'ip', '10.1.2.0/24'),
               (31, 'digest', 'ünïcödé:lK75jTNcA+U9vtVEw5vB51mj/w4='), (0, 'world', 'anyone')]
    done(client.create(root, b'', acl=several))
    own = [(17, 'digest', f'own:{root}')]
    for name in 'abc':
        done(client.create(f'{root}/{name}', b'', acl=own))
    for version, acl in enumerate((several, rawclient.ANYONE, own[:1] * 3)):
        record = rawclient.text(root + '/a') + rawclient.acl_list(acl) + struct.pack('>i', version)
        done(client.call(SET_ACL, record))
    done(client.call(DELETE, rawclient.version_record(root + '/b')))
    done(client.create(root + '/read-only-parent', b'', acl=[(1, 'world', 'anyone')]))


def quotas(client, root):
    """Limits on a tree that then grows, shrinks, and has limits further down."""
    for path in (root + '/quota', root + '/quota/inner'):
        done(client.create(path, b'12345'))
        for node in parents(QUOTA + path):
            if client.create(node).error not in (rawclient.OK, rawclient.NODE_EXISTS):
                raise AssertionError(f'{node} could not be created')
    for path, limit in ((root + '/quota', b'count=3,bytes=100'),
                        (root + '/quota/inner', b'count=2,bytes=-1'), (root + '/gone', b'count=1,bytes=-1'),
                        (root + '/null', b'count=-1,bytes=1;byteHardLimit=2;countHardLimit=-1')):
        for node in parents(QUOTA + path):
            client.create(node)
        done(client.create(f'{QUOTA}{path}/zookeeper_limits', limit))
        done(client.create(statistics_of(path), b'count=0,bytes=0'))
    for n in range(6):
        done(client.create(f'{root}/quota/inner/{n}', b'x' * n))
    done(client.create(f'{root}/quota/null', None))
    done(client.call(SET_DATA, rawclient.set_record(f'{root}/quota/null', b'not any more')))
    done(client.call(SET_DATA, rawclient.set_record(f'{root}/quota', None)))
    done(client.call(SET_DATA, rawclient.set_record(f'{root}/null', b'far above the limit')))
    done(client.call(DELETE, rawclient.version_record(f'{root}/quota/inner/5')))
    done(client.create(f'{root}/quota/eph', b'ephemeral', EPHEMERAL))


def parents(path):
    """The path and all above it but the two that are always there, the shortest first."""
    parts = path.split('/')
    return ['/'.join(parts[:n]) for n in range(4, len(parts) + 1)]


def failures(client, root):
    """Requests that fail and take a zxid all the same."""
    done(client.call(CREATE2, rawclient.create_record(root, b'')), rawclient.NODE_EXISTS)
    done(client.call(CREATE_CONTAINER, rawclient.create_record(root + '/no/x', b'', CONTAINER)), rawclient.NO_NODE)
    done(client.call(CREATE_TTL, create_ttl(root + '/ttl', b'', WITH_TTL, 1000)), rawclient.NODE_EXISTS)
    done(client.call(SET_DATA, rawclient.set_record(root, b'', 5)), rawclient.BAD_VERSION)
    done(client.call(DELETE, rawclient.version_record(root + '/no')), rawclient.NO_NODE)
    parts = [(CREATE, rawclient.create_record(root + '/undone', b'')),
             (SET_DATA, rawclient.set_record(root + '/undone', b'', 0)),
             (CREATE, rawclient.create_record(root + '/undone/eph', b'', EPHEMERAL)),
             (CHECK, rawclient.version_record(root, 9)),
             (DELETE, rawclient.version_record(root + '/undone'))]
    errors = done(client.call(MULTI, rawclient.multi_record(parts))).body.multi_errors()
    if errors[3:] != [rawclient.BAD_VERSION, -2]:
        raise AssertionError(f'a multi that fails was answered with {errors}')


def ending(client, path):
    """Makes a container that was used and a node with a short time to live; returns their paths."""
    container, ttl = path + '-container', path + '-ttl'
    done(client.call(CREATE_CONTAINER, rawclient.create_record(container, b'', CONTAINER)))
    done(client.create(container + '/child', b''))
    done(client.call(DELETE, rawclient.version_record(container + '/child')))
    done(client.call(CREATE_TTL, create_ttl(ttl, b'', WITH_TTL, SHORT_TTL_MILLISECONDS)))
    return [container, ttl]


def leave_passing(server, name):
    """What the next server has to bring to its end if this one is killed before it does."""
    client = super_client(server)
    paths = ending(client, f'{PASSING}/{name}')
    short = server.client(timeout_milliseconds=SHORT_MILLISECONDS)
    done(short.create(f'{PASSING}/{name}-expires', b'', EPHEMERAL))
    short.abandon()
    client.socket.close()
    return [*paths, f'{PASSING}/{name}-expires']


def wait_until_gone(client, paths):
    for path in paths:
        harness.wait_until(
            lambda: client.call(GET_DATA, rawclient.watch_record(path)).error == rawclient.NO_NODE,
            what=f'the end of {path}')


def next_in_sequence(client):
    """The number that the next sequential node below COUNTER gets."""
    body = done(client.create(COUNTER + '/n-', b'', SEQUENCE)).body
    return int(body.text().rpartition('-')[2])


Node = collections.namedtuple('Node', 'data version created changed')


class Subtree:
    """The nodes below a writer's path after its first `count` writes. The n-th write is the same
    whatever the server, so a tree tells how many were made."""

    def __init__(self, path):
        self.path = path
        self.nodes = {'counter': Node(b'', 0, 0, 0)}
        self.creations = 1
        self.children_changed = 0
        self.sequential = None
        self.count = 0

    def copy(self):
        other = Subtree(self.path)
        other.__dict__.update(self.__dict__, nodes=dict(self.nodes))
        return other

    def request(self):
        """The code and the record of the next write."""
        n = self.count + 1
        counter = self.path + '/counter'
        if n % 4 == 1:
            return CREATE, rawclient.create_record(self.path + '/q-', b'%d' % n, SEQUENCE)
        if n % 4 == 2:
            return SET_DATA, rawclient.set_record(counter, b'%d' % n, self.nodes['counter'].version)
        if n % 4 == 3:
            parts = [(CREATE, rawclient.create_record(f'{self.path}/m-{n}', b'm' * (n % 99))),
                     (SET_DATA, rawclient.set_record(counter, b'%d' % n)),
                     (CHECK, rawclient.version_record(counter, self.nodes['counter'].version + 1))]
        else:
            # Every 16th such pair stays, because this multi fails.
            parts = [(DELETE, rawclient.version_record(f'{self.path}/{self.sequential}')),
                     (DELETE, rawclient.version_record(f'{self.path}/m-{n - 1}', 0 if n % 64 else 7))]
        return MULTI, rawclient.multi_record(parts)

    def advance(self):
        """Makes the write that `request` described."""
        self.count += 1
        n = self.count
        if n % 4 == 1:
            self.sequential = f'q-{self.creations:010}'
            self.create(self.sequential, b'%d' % n)
        if n % 4 == 3:
            self.create(f'm-{n}', b'm' * (n % 99))
        if n % 4 in (2, 3):
            old = self.nodes['counter']
            self.nodes['counter'] = Node(b'%d' % n, old.version + 1, 0, n)
        if n % 4 == 0 and n % 64:
            del self.nodes[self.sequential], self.nodes[f'm-{n - 1}']
            self.children_changed = n

    def create(self, name, data):
        self.nodes[name] = Node(data, 0, self.count, self.count)
        self.creations += 1
        self.children_changed = self.count

    def differences(self, tree, zxids):
        """A line for each difference from `tree`; `zxids` are those of the acknowledged writes."""
        found = tree[self.path]
        lines = [f'{name} is {"missing" if name in self.nodes else "too much"}'
                 for name in self.nodes.keys() ^ set(found['children'])]
        wanted = {'cversion': 2 * self.creations - len(self.nodes), 'pzxid': zxids.get(self.children_changed)}
        lines += stat_differences(self.path, wanted, found['stat'])
        for name in self.nodes.keys() & set(found['children']):
            node, other = self.nodes[name], tree[f'{self.path}/{name}']
            if node.data != other['data']:
                lines.append(f'{name} has {str(other["data"])[:60]}, not {str(node.data)[:60]}')
            wanted = {'version': node.version, 'czxid': zxids.get(node.created), 'mzxid': zxids.get(node.changed)}
            lines += stat_differences(name, wanted, other['stat'])
        return lines


def stat_differences(name, wanted, stat):
    return [f'{name}: {key} is {stat[key]}, not {value}' for key, value in wanted.items()
            if value is not None and stat[key] != value]


class Writer:
    """A session that goes on from server to server, an ephemeral node of its own, and a thread that
    writes until its connection breaks."""

    DEPTH = 8
    kept_milliseconds = KEPT_MILLISECONDS

    def __init__(self, server, number):
        self.path = f'{LIVE}/{number}'
        self.client = super_client(server, timeout_milliseconds=self.kept_milliseconds)
        done(self.client.create(self.path))
        created = done(self.client.create(self.path + '/counter'))
        done(self.client.create(f'/alive-{number}', b'', EPHEMERAL))
        self.session = self.client.session
        self.acknowledged = Subtree(self.path)
        self.zxids = {0: created.zxid}
        self.sent = 0
        self.last_zxid = created.zxid
        self.fault = None
        self.thread = None

    def attach(self, server):
        """Fails if the server has not seen the last zxid that this client was told."""
        self.client = server.client(timeout_milliseconds=self.kept_milliseconds, session=self.session,
                                    last_zxid=self.last_zxid)

    def start(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.write()
        except OSError:
            return
        except Exception as fault:
            self.fault = f'{type(fault).__name__}: {fault}'

    def write(self):
        ahead = self.acknowledged.copy()
        while True:
            requests = b''
            while ahead.count < self.acknowledged.count + self.DEPTH:
                requests += self.client.encode(*ahead.request())
                ahead.advance()
            self.sent = ahead.count
            self.client.socket.sendall(requests)
            for _ in range(self.DEPTH // 2):
                reply = done(self.client.receive())
                if reply.zxid <= self.last_zxid:
                    raise AssertionError(f'zxid {reply.zxid:#x} came after {self.last_zxid:#x}')
                self.last_zxid = reply.zxid
                self.acknowledged.advance()
                self.zxids[self.acknowledged.count] = reply.zxid

    def finish(self):
        """Waits for the end of the thread, after the server's."""
        self.thread.join(30)
        self.client.abandon()

    def lost(self, tree):
        """What `tree` lacks of the acknowledged writes; goes on from what the tree has."""
        if self.fault:
            return [self.fault]
        candidate = self.acknowledged.copy()
        first = lines = candidate.differences(tree, self.zxids)
        while lines and candidate.count < self.sent:
            candidate.advance()
            lines = candidate.differences(tree, self.zxids)
        self.acknowledged = candidate
        self.sent = candidate.count
        return lines and [f'{self.path}: {line}' for line in first]
