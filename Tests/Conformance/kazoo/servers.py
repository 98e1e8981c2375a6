"""The servers that kazoo's tests start and stop.

kazoo's own module `kazoo.testing.common` finds a ZooKeeper release and its Java. This one takes its
place under the same name: it starts the server of --server or AVIARY_SERVER, as the tests with real
clients do. kazoo's harness and tests call what has no underscore here; the names are kazoo's.
"""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'RealClients'))
import harness  # noqa: E402  (found through the line above)

# Debian's zookeeper.jar names a part of netty only, and TLS needs these as well.
NETTY_JARS = '/usr/share/java/netty-codec.jar:/usr/share/java/netty-resolver.jar'
SYSTEM_PROPERTY = '-Dzookeeper.'
LOGIN_CONFIG = 'java.security.auth.login.config'
SASL_PROVIDER = 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider'
NETTY_FACTORY = 'org.apache.zookeeper.server.NettyServerCnxnFactory'


class Certificates:
    """An authority of this run, a server's certificate and a client's, as PEM files."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='aviary-kazoo-'))
        self.request('ca', 'authority', '-x509')
        for name in ('server', 'client'):
            self.request(name, 'localhost', '-x509', '-CA', 'ca.pem', '-CAkey', 'ca.key')
        # ZooKeeper reads a key store in PEM from one file with the key and the certificate.
        store = self.read('server.key') + self.read('server.pem')
        (self.directory / 'server-store.pem').write_bytes(store)

    def request(self, name, common_name, *options):
        subprocess.run(
            ['openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
             f'/CN={common_name}', '-keyout', f'{name}.key', '-out', f'{name}.pem', *options],
            cwd=self.directory, check=True, capture_output=True)

    def read(self, name):
        return (self.directory / name).read_bytes()

    def settings(self):
        """The lines of zoo.cfg for a server that speaks TLS and wants to know its clients."""
        return (f'ssl.keyStore.location={self.directory}/server-store.pem',
                f'ssl.trustStore.location={self.directory}/ca.pem')


class ManagedServer:
    """One server, with a directory and ports that last from a run() to the destroy() after it."""

    def __init__(self, certificates, settings, jaas):
        self.certificates = certificates
        self.settings = settings
        self.jaas = jaas
        self.server = None
        self.secure_client_port = None
        self.running = False

    def run(self):
        if self.running:
            return
        if self.server is None:
            self.server = self.prepared()
        self.server.start()
        self.running = True

    def prepared(self):
        """A server that has its configuration and does not run yet."""
        self.secure_client_port = harness.free_port()
        settings = list(self.settings)
        template = harness.server_template()
        # Aviary has no TLS yet, and refuses to start when it is asked for it.
        if harness.is_apache(template):
            settings += [f'secureClientPort={self.secure_client_port}',
                         f'serverCnxnFactory={NETTY_FACTORY}', *self.certificates.settings()]
            apache = harness.APACHE if template == 'apache' else template
            template = apache.replace(harness.JARS, f'{harness.JARS}:{NETTY_JARS}')
        if self.jaas:
            login = self.certificates.directory / 'jaas.conf'
            login.write_text(self.jaas)
            settings += [f'authProvider.1={SASL_PROVIDER}', f'{LOGIN_CONFIG}={login}']
            # Java reads this property before ZooKeeper reads zoo.cfg.
            if harness.is_apache(template):
                template = template.replace('java ', f'java -D{LOGIN_CONFIG}={login} ', 1)
        return harness.Server(settings, template=template)

    def stop(self):
        """Ends the process as an operator would; the data stay."""
        if self.running:
            self.running = False
            self.server.terminate()

    def destroy(self):
        """Ends the process and forgets its data."""
        self.running = False
        if self.server is not None:
            self.server.stop()
            self.server = None

    def reset(self):
        self.destroy()

    @property
    def client_port(self):
        return self.server.port

    @property
    def address(self):
        return self.server.hosts

    @property
    def secure_address(self):
        return f'127.0.0.1:{self.secure_client_port}'

    def get_logs(self, num_lines=40):
        return self.server.log_tail(num_lines).splitlines() if self.server else []


class ZookeeperCluster:
    """The servers of a test: always one, as when the list of what passes on Apache was made."""

    def __init__(self, configuration_entries=(), java_system_properties=(), jaas_config=None, **_):
        # zoo.cfg takes ZooKeeper's system properties as well, without their first word.
        settings = [*configuration_entries,
                    *(word.removeprefix(SYSTEM_PROPERTY) for word in java_system_properties
                      if word.startswith(SYSTEM_PROPERTY))]
        self.certificates = Certificates()
        self.members = [ManagedServer(self.certificates, settings, jaas_config)]

    def __getitem__(self, index):
        return self.members[index]

    def __iter__(self):
        return iter(self.members)

    def start(self):
        for member in self.members:
            member.run()

    def stop(self):
        for member in self.members:
            member.stop()

    def terminate(self):
        for member in self.members:
            member.destroy()

    def reset(self):
        for member in self.members:
            member.reset()

    def get_logs(self):
        return [line for member in self.members for line in member.get_logs()]

    def get_ssl_client_configuration(self):
        return {'client_key': self.certificates.read('client.key'),
                'client_cert': self.certificates.read('client.pem'),
                'ca_cert': self.certificates.read('ca.pem')}
