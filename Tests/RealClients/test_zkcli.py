"""Feeds one script to zkCli.sh against Apache's server and against the server under test, and
compares what the shell prints, line by line.

Both servers are fresh and have one client, so that versions, counters and zxids are compared as
they are. Masked is only what cannot be the same in two runs:
  - the value of `ctime` and `mtime`, if it is a date;
  - session ids, by the order of their first appearance;
  - the server's port;
  - that a deleteall failed, which the client forgets now and then (it lets go of the semaphore
    before it notes the failure in ZKUtil.deleteInBatch); what it left is looked at instead.
getEphemerals and whoami are sorted, since Apache keeps paths and identities in hash sets, and so are
the events of removewatches: the client has them in a hash map (WatchDeregistration.unregister), whose
keys hash differently in each JVM. Nothing else is reordered; the shell itself sorts children.
"""
import codecs
import difflib
import itertools
import os
import re
import selectors
import subprocess
import threading
import time
import unittest

import harness

MAIN = 'org.apache.zookeeper.ZooKeeperMain'
JAR = harness.JARS.split(':')[1]
# Without a logger the client's own log stays out of stderr.
SILENT = '/usr/share/java/slf4j-nop.jar'
JAVA = ['java', '-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto',
        '-Dfile.encoding=UTF-8', '-cp', f'{SILENT}:{JAR}', MAIN]
ENVIRONMENT = dict(os.environ, LC_ALL='C.UTF-8', TZ='UTC')
DATE = r'\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}'
DELETEALL_FAILED = 'Failed to delete some node(s) in the subtree!\n'
LONGEST_COMMAND_SECONDS = 40

SETTINGS = ('extendedTypesEnabled=true', 'enforceQuota=true', harness.SUPER_DIGEST)
RECONFIG_SETTINGS = ('reconfigEnabled=true', harness.SUPER_DIGEST)


def event(kind, path):
    """What the shell prints for a watch."""
    return ('out: ', 'out: WATCHER::', 'out: ',
            f'out: WatchedEvent state:SyncConnected type:{kind} path:{path}')


# Where Aviary, which follows 3.9.5, answers differently from Debian's 3.8.0: section and command,
# the reason, and what the command prints then. Anything else that differs fails, and so does a line
# here that is no longer true.
EXISTS_NEEDS_READ = '3.8.0 does not ask for READ on exists'
ONE_MODE_A_PATH = '3.8.0 keeps one mode of persistent watch a path, 3.9 keeps each that was added'
DIFFERENT = {
    ('acl', 'stat /nobody'): (EXISTS_NEEDS_READ, ('err: Insufficient permission : /nobody',)),
    ('acl', 'stat /a/b'): (EXISTS_NEEDS_READ, ('err: Insufficient permission : /a/b',)),
    ('acl', 'stat /wo'): (EXISTS_NEEDS_READ, ('err: Insufficient permission : /wo',)),
    ('add_watch', 'create /aw/c'): (ONE_MODE_A_PATH, (
        *event('NodeCreated', '/aw/c'), *event('NodeChildrenChanged', '/aw'),
        'err: Created /aw/c')),
    ('add_watch', 'set /aw/c y'): (ONE_MODE_A_PATH, event('NodeDataChanged', '/aw/c')),
    ('add_watch', 'set /aw kept'): (
        '3.8.0 drops a persistent watch when data watches are removed',
        event('NodeDataChanged', '/aw')),
}

# A line may be followed by `=> pattern`: then the script goes on when stdout matches, and without
# a question to the server. HOST stands for the server's address, MEMBERS for a file that lists an
# ensemble.
SCRIPT = {
    'history_and_redo': '''
        create /redo a
        redo 0
        redo
        redo -1
        redo 99999
        redo 0x0
        history
    ''',
    'words': '''
        version
        version x
        foo
        foo bar
        "ls" "/"
        'ls' '/'
        ls   /
        printwatches
        printwatches off
        printwatches
        printwatches on
        printwatches
        rmr /a
        ls2 /a
        exit
    ''',
    'fresh': '''
        stat /
        ls -s /
        ls -R /
        ls -s /zookeeper
        stat /zookeeper/quota
        get -s /
        get -s /zookeeper
        getAcl -s /
        getAcl /zookeeper
        getAllChildrenNumber /
        getEphemerals
        whoami
    ''',
    'create': '''
        create /c data
        create /c
        create
        create -s
        create -z /c/z
        create /none/x
        create /
        create ""
        create foo
        create /c/
        create /c//x
        create /c/./x
        create /c/../x
        create -s /c/s
        create -s /c/s x
        create -s /c/
        create -s /none/s
        create -s /
        create -e /c/e x
        create -e /c/e x
        create -e -s /c/es
        create /c/e/x
        create -s /c/e/x
        create -e /c/e/x
        create -c /c/con
        create -c /c/con
        create -c -s /c/y
        create -c -e /c/y
        create -t 3600000 /c/ttl x
        create -s -t 3600000 /c/ttls x
        create -t 0 /c/t
        create -t -5 /c/t
        create -t x /c/t
        create -t 999999999999999999 /c/t
        create -t 1 -e /c/t
        create -t 1 -c /c/t
        create -t
        create -t 3600000
        create -t 3600000 /none/t
        create /c/null
        create /c/empty ""
        create "/c/with blank" "some data"
        create /c/quote 'it is "so"'
        create /c/ü "söme däta"
        create /c/three a world:anyone:cdrwa more
        create /c/r data world:anyone:r
        create /c/two data world:anyone:r,ip:127.0.0.1:cdrwa
        create /c/digest data digest:u:hash:cdrwa
        create /c/x509 data x509:CN=a:cdrwa
        create /c/sasl data sasl:bob:cdrwa
        create /c/scheme data foo:bar:cdrwa
        create /c/form data nonsense
        create /c/perm data world:anyone:rx
        create /c/noperm data world:anyone:
        create /c/world data world:me:cdrwa
        create /c/badip data ip:999.1.1.1:r
        create /c/badnet data ip:127.0.0.1/99:r
        create /c/net data ip:127.0.0.0/8:cdrwa
        create /c/auth data auth::cdrwa
        create /c/r/x
        create /zookeeper
        create /zookeeper/x data
        create /zookeeper/quota/x data
        ls -s /c
        ls -R /c
        stat /c
        stat /c/s0000000000
        stat /c/e
        stat /c/con
        stat /c/ttl
        get -s /c/null
        get -s /c/empty
        get "/c/with blank"
        get /c/quote
        get /c/ü
        getAcl -s /c/r
        getAcl /c/two
        getAcl /c/digest
        getAcl /c/noperm
        getAcl /c/perm
        getAcl /c/net
        getAllChildrenNumber /
        getAllChildrenNumber /c
        getAllChildrenNumber /none
        getAllChildrenNumber bad
        getAllChildrenNumber
    ''',
    'ephemerals': '''
        create /eph
        create -e /eph/a
        create -e /eph/b
        create -e /eph/ab
        getEphemerals
        getEphemerals /
        getEphemerals /eph
        getEphemerals /eph/a
        getEphemerals /none
        getEphemerals bad
        getEphemerals /eph/
        delete /eph/b
        getEphemerals /eph
        getEphemerals -s /eph
    ''',
    'ls': '''
        create /l data
        create /l/b
        create /l/a
        create /l/a/z
        ls /l
        ls -s /l
        ls -w /l
        create /l/c
        ls -s -w /l
        delete /l/c
        ls -R /l
        ls -R -w /l
        set /l x
        create /l/a/y
        ls -R -s /l
        ls /l watch
        create /l/d
        ls /l true
        delete /l/d
        ls /none
        ls -R /none
        ls -s /none
        ls -w /none
        ls
        ls -s
        ls bad
        ls /l/
        ls -R bad
        ls -q /l
        ls -?
        ls -? /l
    ''',
    'get': '''
        create /g data
        get /g
        get -s /g
        get -w /g
        set /g one
        get -s -w /g
        set /g two
        get /g watch
        set /g three
        get -b /g
        get -x /g
        get -q /g
        get
        get -s
        get /none
        get -w /none
        create /none
        delete /none
        get bad
        get /g/
        get ""
    ''',
    'set': '''
        create /s data
        set /s one
        set -s /s two
        set -v 2 /s three
        set -v 2 /s four
        set -s -v 3 /s five
        set -v -1 /s six
        set -v -2 /s seven
        set -v 2147483647 /s x
        set -b /s ZGF0YQ==
        set /s
        set
        set -v
        set -q /s x
        set /none x
        set -v 3 /none x
        set bad x
        set /s ""
        get -s /s
        set /s one more
        get /s
        set / root
        get -s /
        set /zookeeper x
        set /zookeeper/config x
    ''',
    'stat': '''
        create /st data
        stat /st
        stat -w /st
        set /st x
        stat -w /st/missing
        create /st/missing
        stat /st watch
        delete /st/missing
        delete /st
        stat -w /st
        stat /st
        stat bad
        stat
        stat -q /st
        stat /st/
        create /st
    ''',
    'watches': '''
        create /w data
        get -w /w
        stat -w /w
        ls -w /w
        create /w/a
        set /w x
        ls -w /w
        get -w /w
        get -w /w/a
        delete /w/a
        stat -w /w
        delete /w
        get -w /redo
        printwatches off
        set /redo b
        printwatches on
        set /redo c
    ''',
    'add_watch': '''
        create /aw data
        addWatch /aw
        create /aw/a
        set /aw/a x
        create /aw/a/b
        delete /aw/a/b
        set /aw y
        addWatch -m PERSISTENT /aw
        create /aw/c
        set /aw z
        set /aw/c y
        removewatches /aw
        set /aw quiet
        addWatch -m persistent /aw
        create /aw/d
        set /aw q
        delete /aw/d
        removewatches -d /aw
        set /aw kept
        removewatches -a /aw
        addWatch -m persistent_recursive /aw
        set /aw r
        removewatches -c /aw
        removewatches /aw
        addWatch /aw/missing
        create /aw/missing
        create /aw/missing/child
        deleteall /aw/missing
        removewatches /aw/missing
        addWatch -m foo /aw
        addWatch /aw /aw
        addWatch
        addWatch -m
        addWatch -q /aw
        get -w /aw
        ls -w /aw
        stat -w /aw
        removewatches -c /aw
        set /aw s
        get -w /aw
        removewatches -d /aw
        ls -w /aw
        get -w /aw
        removewatches -a /aw
        get -w /aw
        removewatches -l /aw
        get -w /aw
        ls -w /aw
        removewatches -d -l /aw
        removewatches -c -l /aw
        removewatches /aw
        removewatches -c /aw
        removewatches -d /aw
        removewatches -p /aw
        removewatches -r /aw
        removewatches
        removewatches bad
        removewatches /none
        set /aw t
        create /aw/e
    ''',
    'delete': '''
        create /d data
        create /d/a
        delete /d
        delete -v 0 /d
        delete -v 1 /d
        delete -v 1 /d/a
        delete -v 0 /d/a
        delete -v 0 /d/a
        delete /d 5
        create /d
        delete -v -1 /d
        delete /d
        delete
        delete -v
        delete -q /d
        delete bad
        delete /d/
        delete /
        delete /zookeeper
        delete /zookeeper/quota
        delete /zookeeper/config
        deleteall /d
        create /d
        create /d/a
        create /d/a/b
        create /d/a/b/c
        create /d/e
        deleteall -b 1 /d
        stat /d
        create /d
        create /d/a
        create /d/b
        create /d/c
        deleteall /d -b 2
        stat /d
        create /d
        create /d/a
        deleteall /d
        stat /d
        deleteall
        deleteall -b x /d
        deleteall -b
        deleteall -q /d
        deleteall bad
        create /d
        create /d/a x world:anyone:r
        create /d/a2
        deleteall /d/a
        create /d/keep x world:anyone:cdrwa
        create /d/keep/b x
        setAcl /d/keep world:anyone:rwca
        deleteall /d/keep
        ls -R /d
        stat /d/keep
        deleteall /zookeeper/quota
        ls -R /zookeeper
        deleteall /none
    ''',
    'acl': '''
        create /a data
        getAcl /a
        getAcl -s /a
        getAcl
        getAcl /none
        getAcl bad
        getAcl -q /a
        setAcl /a world:anyone:cdrwa
        setAcl -s /a world:anyone:rwa
        setAcl -v 2 /a world:anyone:crwa
        setAcl -v 2 /a world:anyone:crwa
        setAcl -s -v 3 /a world:anyone:cdrwa
        setAcl /a auth::cdrwa
        setAcl /a foo:bar:r
        setAcl /a nonsense
        setAcl /a nonsense,world:anyone:cdrwa
        create /nobody x
        setAcl -s /nobody world:anyone:q
        getAcl /nobody
        stat /nobody
        setAcl /nobody world:anyone:cdrwa
        delete /nobody
        setAcl /a
        setAcl
        setAcl -v
        setAcl /none world:anyone:cdrwa
        setAcl /none foo:bar:r
        setAcl -v 7 /none world:anyone:cdrwa
        setAcl bad world:anyone:cdrwa
        create /a/b x
        create /a/b/c x
        setAcl -R /a world:anyone:crwa
        getAcl /a/b/c
        stat /a/b/c
        delete /a/b/c
        setAcl -R -v 0 /a/b world:anyone:cdrwa
        setAcl -R /a foo:bar:r
        setAcl -R /none world:anyone:r
        setAcl -R -s /a world:anyone:cdrwa
        addauth
        addauth digest alice:secret
        whoami
        addauth digest bob:pass
        addauth digest alice:secret
        whoami
        create /a/auth data auth::cdrwa
        getAcl /a/auth
        setAcl -s /a world:anyone:r,auth::cdrwa
        getAcl -s /a
        create /a/mine
        setAcl /a digest:alice:9BmBJdd+3hJi7xLcrbtRDiOgxuY=:r
        setAcl /a/b ip:10.0.0.1:cdrwa
        get /a/b
        get -s -w /a/b
        set /a/b x
        ls /a/b
        ls -s /a/b
        stat /a/b
        getAcl /a/b
        create /a/b/new
        delete /a/b/c
        setAcl /a/b world:anyone:cdrwa
        getAllChildrenNumber /a/b
        getAcl /c/digest
        create /ro x world:anyone:r
        getAcl -s /ro
        set /ro y
        setAcl /ro world:anyone:cdrwa
        create /ro/x
        delete /ro
        create /wo x world:anyone:w
        get /wo
        stat /wo
        ls /wo
        getAcl /wo
        addauth digest super:secret
        whoami
        get /wo
        setAcl /wo world:anyone:cdrwa
        set /ro y
        getAcl /c/digest
        deleteall /a
        deleteall /wo
    ''',
    'addauth': '''
        addauth ip 1.2.3.4
        whoami
        addauth digest foo
        whoami
    ''',
    'quota': '''
        create /q data
        listquota /q
        listquota
        listquota /none
        listquota bad
        delquota /q
        delquota
        delquota /none
        delquota bad
        delquota -z /q
        setquota -n 3 /q
        listquota /q
        get -s /zookeeper/quota/q/zookeeper_limits
        get -s /zookeeper/quota/q/zookeeper_stats
        create /q/a 12345
        create /q/b
        create /q/c
        listquota /q
        setquota -n 2 /q
        setquota -b 3 /q
        setquota -N 9 /q
        setquota -B 900 /q
        listquota /q
        setquota -N 4 /q
        create /q/d
        create /q/d/e
        create -e /q/eph
        create -s /q/seq
        create -c /q/con
        create -t 3600000 /q/ttl
        setquota -B 10 /q
        set /q/a 1234567890
        set /q/a 123456
        set /q/a 1
        create /q/x 1234567890
        setquota -B 5 /q
        setquota -N 1 /q
        listquota /q
        delete /q/b
        delete /q/c
        listquota /q
        setquota -n 5 /q/a
        create /q2
        create /q2/a
        create /q2/a/b
        setquota -n 5 /q2/a/b
        setquota -n 5 /q2
        setquota -n 5 /q2/a
        setquota -n 5 /q2/a/b/c
        setquota -n 0 /q2
        setquota -n -1 /q2
        setquota -N 0 /q2
        setquota -b -1 /q2
        setquota -B -1 /q2
        setquota -n x /q2
        setquota -n 1 -b 1 /q2
        setquota /q2
        setquota
        setquota -n
        setquota -n 5
        setquota -z 5 /q2
        setquota -n 5 /none
        setquota -n 5 bad
        setquota -n 5 /zookeeper/quota/q2
        delquota -n /q
        listquota /q
        delquota -b /q
        delquota -N /q
        delquota -B /q
        listquota /q
        delquota -n -b /q
        set /q/a "much longer data than before"
        listquota /q
        ls -R /zookeeper
        delquota /q
        delquota /q2/a/b
        listquota /q
        ls -R /zookeeper
        ls -s /zookeeper/quota
        deleteall /q
        setquota -N 5 /
        listquota /
        delquota /
    ''',
    'config': '''
        config
        config -s
        config -c
        config -w
        config -q
        config x
        get -s /zookeeper/config
        getAcl /zookeeper/config
        reconfig
        reconfig -add
        reconfig -remove 1
        reconfig -s -v 100 -remove 1
        reconfig -v x -remove 1
        reconfig -add server.1=127.0.0.1:2888:3888;2181
        reconfig -members server.1=127.0.0.1:2888:3888;2181
        reconfig -members server.1=127.0.0.1:2888:3888;2181 -add server.2=127.0.0.1:2889:3889;2182
        reconfig -file /none
        reconfig -file /none -members x
        reconfig -file /none -remove 1
        reconfig -q
    ''',
    'sync': '''
        sync /
        sync /none
        sync
        sync bad
        sync /c/
    ''',
    'reconnect': '''
        create -e /gone
        get -w /gone
        stat /gone
        close => state:Closed
        ls / => Not connected
        whoami => Not connected
        close => Not connected
        history => \\d - history\\nNot connected
        connect HOST
        stat /gone
        whoami
        getEphemerals
        ls /c
        create -e /back
        connect
        stat /back
        create -e /back
        stat /back
        addauth nonsense data => state:AuthFailed
        ls / => Not connected
        connect HOST/c
        ls /
        create /new chrooted
        get -w /new
        set /new x
        getAcl /r
        create -e /e2
        getEphemerals
        getEphemerals /e2
        ls -R /
        connect HOST
        get /c/new
        whoami
    ''',
    'afterwards': '''
        ls -R /
        stat /
        stat /c
        getAllChildrenNumber /
        stat /missing-at-the-end
    ''',
}

RECONFIG_SCRIPT = {
    'reconfig': '''
        config -s
        config -c
        reconfig -remove 1
        reconfig -add server.1=127.0.0.1:2888:3888;2181
        reconfig -members server.1=127.0.0.1:2888:3888;2181
        addauth digest super:secret
        reconfig -remove 1
        reconfig -s -add server.1=127.0.0.1:2888:3888;2181
        reconfig -v 1 -members server.1=127.0.0.1:2888:3888;2181
        reconfig -file MEMBERS
        config
        get /missing-at-the-end
        quit => \\Z
    ''',
}

# Words on the command line, and the exit code.
ONE_SHOTS = (
    (('-waitforconnection', '-server', 'HOST', 'ls', '-s', '/shot'), 0),
    (('-waitforconnection', '-server', 'HOST/shot', '-timeout', '9000', 'get', '-s', '/x'), 0),
    (('-waitforconnection', '-r', '-server', 'HOST', 'create', '/shot/x'), 1),
    (('-waitforconnection', '-server', 'HOST', 'create'), 1),
    (('-waitforconnection', '-server', 'HOST', 'addWatch', 'bad'), 1),
    (('-client-configuration', '/none', '-server', 'HOST', 'ls', '/'), 2),
    (('-waitforconnection', '-server', 'HOST', 'foo'), 127),
)


class Zkcli:
    """The shell without a terminal, with stdout and stderr apart."""

    def __init__(self, hosts, command=JAVA):
        self.process = subprocess.Popen(
            [*command, '-server', hosts], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=ENVIRONMENT)
        self.markers = itertools.count()
        self.text = {'stdout': '', 'stderr': ''}
        self.decoders = {
            name: codecs.getincrementaldecoder('utf-8')('replace') for name in self.text}
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ, 'stdout')
        self.selector.register(self.process.stderr, selectors.EVENT_READ, 'stderr')

    def type(self, line):
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()

    def read(self, seconds):
        """Adds to `text` what both streams have, waiting for the first of it; false at the end."""
        while self.selector.get_map() and (ready := self.selector.select(seconds)):
            for key, _ in ready:
                more = os.read(key.fd, 65536)
                self.text[key.data] += self.decoders[key.data].decode(more)
                if not more:
                    self.selector.unregister(key.fileobj)
            seconds = 0
        return bool(self.selector.get_map())

    def take(self, name, pattern):
        """Waits until the stream matches, and takes it off; returns what came before the match and
        the match itself."""
        end = time.monotonic() + LONGEST_COMMAND_SECONDS
        while not (found := re.search(pattern, self.text[name])):
            if time.monotonic() > end or not self.read(max(0.0, end - time.monotonic())):
                raise harness.TooLong(f'no {pattern!r} in {self.text}')
        before = self.text[name][:found.start()]
        self.text[name] = self.text[name][found.end():]
        return before, found.group()

    def run(self, line):
        """What the command prints on stdout and stderr, with the events that come before the
        answer to a later sync: callbacks and events have one thread in the client."""
        marker = f'/marker-{next(self.markers)}'
        self.type(line)
        self.type('sync /')
        self.type(f'stat {marker}')
        errors, _ = self.take('stderr', rf'Node does not exist: {marker}\n')
        # What stdout got before that line of stderr is in the pipe by now.
        self.read(0)
        output, paced, later = self.text['stdout'].rpartition('Sync is OK\n')
        if not paced or later:
            raise AssertionError(f'after {line!r}: {self.text}')
        self.text['stdout'] = ''
        return output, errors

    def run_until(self, line, pattern):
        """The same, without questions to the server: until stdout matches."""
        self.type(line)
        before, match = self.take('stdout', pattern)
        return before + match, ''

    def finish(self):
        """Ends the input, and returns the exit code."""
        self.process.stdin.close()
        return self.process.wait(LONGEST_COMMAND_SECONDS)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class Mask:
    """Replaces what differs between any two runs."""

    def __init__(self, port):
        self.port = port
        self.sessions = {}

    def session(self, found):
        number = self.sessions.setdefault(found.group(2), len(self.sessions) + 1)
        return f'{found.group(1)}<session {number}>'

    def lines(self, line, text):
        text = re.sub(rf'(?m)^([cm]time) = {DATE}$', r'\1 = <date>', text)
        text = re.sub(r'(ephemeralOwner = )(0x1[0-9a-f]{10,})', self.session, text)
        text = text.replace(f':{self.port}', ':<port>')
        if line.startswith('deleteall'):
            text = text.replace(DELETEALL_FAILED, '')
        if line.startswith('getEphemerals'):
            text = re.sub(r'\[(/.*)\]', lambda found: str(sorted(found.group(1).split(', '))), text)
        lines = text.splitlines()
        unordered = line == 'whoami' or line.startswith('removewatches')
        return sorted(lines) if unordered else lines

    def prefixed(self, line, output, errors):
        return (*('out: ' + each for each in self.lines(line, output)),
                *('err: ' + each for each in self.lines(line, errors)))


def commands(text):
    for line in text.splitlines():
        if line := line.strip():
            line, _, pattern = line.partition(' => ')
            yield line, pattern


def play(server, script, command=JAVA):
    """Runs the sections, and returns for each its lines, and the shell's exit code."""
    members = server.directory / 'members'
    members.write_text(''.join(f'server.{number}=127.0.0.1:288{number}:388{number};218{number}\n'
                               for number in (1, 2, 3)))
    shell = Zkcli(server.hosts, command)
    mask = Mask(server.port)
    transcript = {}
    try:
        shell.take('stdout', r'WatchedEvent state:SyncConnected type:None path:null[^\n]*\n')
        for section, text in script.items():
            transcript[section] = []
            for line, pattern in commands(text):
                typed = line.replace('HOST', server.hosts).replace('MEMBERS', str(members))
                output, errors = shell.run_until(typed, pattern) if pattern else shell.run(typed)
                transcript[section].append((line, mask.prefixed(line, output, errors)))
        transcript[section].append(('end of input', (f'exit code {shell.finish()}',)))
    finally:
        shell.end()
    return transcript


def shoot(server, words, command=JAVA):
    """Runs one command on the command line."""
    arguments = [word.replace('HOST', server.hosts) for word in words]
    run = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, errors='replace', timeout=LONGEST_COMMAND_SECONDS,
                         env=ENVIRONMENT)
    printed = Mask(server.port).prefixed(words[-1], run.stdout, run.stderr)
    return f'exit code {run.returncode}', *printed


def on_both(work):
    """Does the work for both servers at the same time; returns Apache's result and the other's."""
    results, errors = {}, {}

    def run(which, template):
        try:
            results[which] = work(template)
        except BaseException as error:  # is raised again below
            errors[which] = error

    threads = [threading.Thread(target=run, args=pair)
               for pair in (('apache', 'apache'), ('tested', harness.server_template()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for which, error in errors.items():
        raise AssertionError(f'{which}: {error!r}') from error
    return results['apache'], results['tested']


def whole_run(template):
    """Everything that is compared, from one fresh server and one more with reconfig enabled."""
    server = harness.Server(SETTINGS, template).start()
    try:
        result = play(server, SCRIPT)
        client = server.client()
        client.create('/shot')
        client.create('/shot/x', b'data')
        client.close_session()
        result['one_shots'] = [(' '.join(words), shoot(server, words)) for words, _ in ONE_SHOTS]
    finally:
        server.stop()
    server = harness.Server(RECONFIG_SETTINGS, template).start()
    try:
        result |= play(server, RECONFIG_SCRIPT)
    finally:
        server.stop()
    return result


@unittest.skipUnless(
    harness.has_apache(), "java or Apache's jars are not installed (Debian package zookeeper)")
class ZkcliComparison(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.apache, cls.tested = on_both(whole_run)

    def compare(self, section):
        apache, tested = self.apache[section], self.tested[section]
        self.assertEqual([line for line, _ in apache], [line for line, _ in tested])
        wrong = []
        for (line, expected), (_, printed) in zip(apache, tested):
            if (section, line) in DIFFERENT and not harness.is_apache():
                _, expected = DIFFERENT[section, line]
            if printed != expected:
                lines = difflib.ndiff(expected, printed)
                wrong.append('\n'.join((line, *('    ' + each.rstrip() for each in lines))))
        if wrong:
            self.fail(f'{len(wrong)} commands print something else\n' + '\n'.join(wrong))

    def test_one_shots(self):
        self.compare('one_shots')
        for (line, printed), (_, code) in zip(self.tested['one_shots'], ONE_SHOTS):
            self.assertEqual(printed[0], f'exit code {code}', line)

    def test_named_differences_are_in_the_script(self):
        known = {(section, line) for section, lines in self.apache.items() for line, _ in lines}
        self.assertEqual(set(DIFFERENT) - known, set())


def section_test(section):
    return lambda case: case.compare(section)


for name in (*SCRIPT, *RECONFIG_SCRIPT):
    setattr(ZkcliComparison, 'test_' + name, section_test(name))


if __name__ == '__main__':
    harness.main()
