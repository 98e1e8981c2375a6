"""Writes histories with every kind of change through kazoo, and reads whole trees back."""
from kazoo import exceptions
from kazoo.client import KazooClient
from kazoo.security import ACL, Id, OPEN_ACL_UNSAFE, make_acl, make_digest_acl

import harness
import rawclient

# The time at which a server started is the mtime of this node: it differs at every start.
NOT_COMPARED = {'/zookeeper/config': {'mtime'}}


def connect(server, credential=harness.SUPER_USER):
    client = KazooClient(server.hosts, timeout=15.0, auth_data=[('digest', credential)])
    client.start(15)
    return client


def refused(error, operation, *arguments, **options):
    try:
        operation(*arguments, **options)
    except error:
        return
    raise AssertionError(f'{operation} {arguments} was not refused with {error}')


def write(server, root, open_session):
    """Writes below the new node `root`. `open_session` is a raw client that stays open."""
    client = connect(server, 'alice:secret')
    client.create(root, b'root')
    data_changes(client, root)
    names_and_sequences(client, root)
    sessions(server, client, root, open_session)
    permissions(client, root)
    transactions(client, root)
    many_changes(client, root)
    client.stop()
    client.close()


def data_changes(client, root):
    client.create(root + '/null', b'x')
    client.set(root + '/null', None)
    client.create(root + '/empty', b'')
    client.create(root + '/binary', bytes(range(256)))
    client.create(root + '/large', b'\0\xff' * 50000)
    client.create(root + '/changed', b'0')
    for n in range(1, 8):
        client.set(root + '/changed', b'value %d' % n, version=n - 1)
    client.set('/', b'root of ' + root.encode())
    client.create(root + '/gone', b'')
    client.create(root + '/gone/child', b'')
    refused(exceptions.NotEmptyError, client.delete, root + '/gone')
    client.delete(root + '/gone', recursive=True)
    client.create(root + '/again', b'first')
    client.delete(root + '/again')
    client.create(root + '/again', b'second')
    refused(exceptions.BadVersionError, client.set, root + '/again', b'', version=9)
    refused(exceptions.BadVersionError, client.delete, root + '/again', version=9)
    refused(exceptions.NodeExistsError, client.create, root + '/again')
    refused(exceptions.NoNodeError, client.create, root + '/none/x')
    refused(exceptions.NoNodeError, client.set, root + '/none', b'')
    refused(exceptions.NoNodeError, client.delete, root + '/none')


def names_and_sequences(client, root):
    for name in ('ünïcödé', '日本語', 'e\u0301', 'é', ' blank ', 'x' * 300):
        client.create(f'{root}/{name}', name.encode())
    client.create(root + '/seq')
    for n in range(4):
        client.create(root + '/seq/q-', b'%d' % n, sequence=True)
    client.delete(root + '/seq/q-0000000003')
    client.create(root + '/seq/', b'bare', sequence=True)
    deep = root + '/deep'
    for n in range(20):
        client.create(deep, b'%d' % n)
        deep += f'/{n}'


def sessions(server, client, root, open_session):
    client.create(root + '/eph')
    client.create(root + '/eph/closed-', ephemeral=True, sequence=True)
    briefly = connect(server)
    briefly.create(root + '/eph/brief', ephemeral=True)
    briefly.create(root + '/eph/brief-', ephemeral=True, sequence=True)
    briefly.stop()
    briefly.close()
    for path, flags in ((root + '/eph/open', rawclient.EPHEMERAL),
                        (root + '/eph/open-', rawclient.EPHEMERAL | rawclient.SEQUENCE)):
        assert open_session.create(path, b'open', flags).error == 0
    refused(exceptions.NoChildrenForEphemeralsError, client.create, root + '/eph/open/x')


def permissions(client, root):
    alice = make_digest_acl('alice', 'secret', all=True)
    client.create(root + '/acl')
    for name, acl in (('digest', [alice, make_acl('world', 'anyone', read=True)]),
                      ('auth', [ACL(31, Id('auth', ''))]),
                      ('ip', [make_acl('ip', '127.0.0.1', all=True), make_acl('ip', '10.0.0.0/8', read=True)]),
                      ('read-only', [make_acl('world', 'anyone', read=True)]),
                      ('twice', OPEN_ACL_UNSAFE * 2)):
        client.create(f'{root}/acl/{name}', name.encode(), acl=acl)
    client.create(root + '/acl/set', b'')
    client.set_acls(root + '/acl/set', [alice], version=0)
    client.set_acls(root + '/acl/set', [alice, make_acl('world', 'anyone', read=True, create=True)])
    refused(exceptions.BadVersionError, client.set_acls, root + '/acl/set', [alice], version=0)
    refused(exceptions.NoAuthError, client.set, root + '/acl/read-only', b'')
    refused(exceptions.InvalidACLError, client.create, root + '/acl/bad', acl=[make_acl('none', 'x', all=True)])


def transactions(client, root):
    good = client.transaction()
    good.create(root + '/multi', b'1')
    good.create(root + '/multi/q-', b'', sequence=True)
    good.create(root + '/multi/q-', b'', ephemeral=True, sequence=True)
    good.set_data(root + '/multi', b'2', version=0)
    good.check(root + '/multi', 1)
    good.create(root + '/multi/gone', b'')
    good.delete(root + '/multi/gone')
    results = good.commit()
    assert not any(isinstance(result, Exception) for result in results), results
    bad = client.transaction()
    bad.create(root + '/multi/not', b'')
    bad.delete(root + '/multi', version=77)
    assert isinstance(bad.commit()[1], exceptions.BadVersionError)


def many_changes(client, root):
    """Enough of them that a server with a low snapCount writes snapshots meanwhile."""
    client.create(root + '/many')
    pending = [client.create_async(f'{root}/many/{n}', b'%d' % n) for n in range(300)]
    pending += [client.set_async(f'{root}/many/{n}', b'again') for n in range(0, 300, 3)]
    pending += [client.delete_async(f'{root}/many/{n}') for n in range(0, 300, 7)]
    for one in pending:
        one.get(30)


def read(server):
    """Every path with its data, stat, ACL and the names of its children."""
    client = connect(server)
    tree = {}
    waiting = ['/']
    while waiting:
        path = waiting.pop()
        data, stat = client.get(path)
        acl = [(entry.perms, entry.id.scheme, entry.id.id) for entry in client.get_acls(path)[0]]
        children = sorted(client.get_children(path))
        fields = {name: value for name, value in stat._asdict().items()
                  if name not in NOT_COMPARED.get(path, ())}
        tree[path] = {'data': data, 'stat': fields, 'acl': acl, 'children': children}
        waiting += [path.rstrip('/') + '/' + child for child in children]
    client.stop()
    client.close()
    return tree


def differences(expected, found):
    """A line for everything in which two trees differ."""
    lines = [f'missing: {path}' for path in sorted(expected.keys() - found.keys())]
    lines += [f'unexpected: {path}' for path in sorted(found.keys() - expected.keys())]
    for path in sorted(expected.keys() & found.keys()):
        one, other = expected[path], found[path]
        for key in ('data', 'acl', 'children'):
            if one[key] != other[key]:
                lines.append(f'{path}: {key} {str(one[key])[:200]} became {str(other[key])[:200]}')
        for name, value in one['stat'].items():
            if other['stat'][name] != value:
                lines.append(f'{path}: {name} {value} became {other["stat"][name]}')
    return lines
