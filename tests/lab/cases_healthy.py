"""Cases that are healthy: no fault, no warning, however the set-up looks."""

# ruff: noqa: D401 (what a case does is in its decorator; its docstring says what is the matter)

from lab.cases import healthy
from lab.machine import ALICE
from servers.dovecot import PASSWORD, USER, USERS

__all__ = []


@healthy
def aliyun(scene):
    """The tutorial's set-up: Aliyun, implicit TLS, the system's file."""


@healthy
def file_of_a_user(scene):
    """The same in a user's own file, asked by her."""
    scene.file = "/home/alice/.msmtprc"
    scene.owner = scene.group = ALICE
    scene.machine.become(ALICE)


@healthy
def soft_fail(scene):
    """An SPF record that ends in ~all."""
    scene.send_as("soft.example")


@healthy
def password_command(scene):
    """The password comes from a command."""
    scene.machine.write("/root/password", scene.password + "\n", 0o600)
    scene.set(password=None, passwordeval="cat /root/password")


@healthy
def password_in_netrc(scene):
    """The password is in ~/.netrc."""
    line = f"machine smtp.qiye.aliyun.com login {scene.sender} password {scene.password}\n"
    scene.machine.write("/root/.netrc", line, 0o600)
    scene.set(password=None)


@healthy
def no_trust_file_given(scene):
    """The authorities are those of the system, found without being named."""
    scene.set(tls_trust_file=None)


@healthy
def no_from(scene):
    """The sender is not given, and the login is an address."""
    scene.set(**{"from": None})


@healthy
def tencent(scene):
    """Another provider, whose DKIM selector is known to its console only."""
    scene.send_as("exmail.example")
    scene.through("smtp.exmail.qq.com")


@healthy
def office_365(scene):
    """Microsoft 365 with STARTTLS, its keys behind a CNAME."""
    scene.send_as("office.example")
    scene.through("smtp.office365.com", 587, starttls=True)
    keywords = ("SIZE 157286400", "PIPELINING", "DSN", "AUTH LOGIN PLAIN XOAUTH2", "8BITMIME")
    scene.provide(port=587, tls="starttls", keywords=keywords)


@healthy
def mailbox_of_qq(scene):
    """A mailbox at a provider's own domain: its records are the provider's business."""
    scene.sender = "someone@qq.com"
    scene.set(user=scene.sender, **{"from": scene.sender})
    scene.through("smtp.qq.com")


@healthy
def relay_of_ones_own(scene):
    """A relay that no list knows, with STARTTLS."""
    scene.send_as("example.net")
    scene.through("relay.example.net", 587, starttls=True)
    scene.provide(port=587, tls="starttls")


@healthy
def relay_without_login(scene):
    """A relay that knows its clients by their address."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.set(auth="off", user=None, password=None)
    scene.provide(requires_auth=False, keywords=("8BITMIME", "PIPELINING"))


@healthy
def relay_by_its_address(scene):
    """A relay that is named by its address, and its certificate by a name."""
    scene.send_as("example.net")
    scene.set(host="127.0.0.77", tls_host_override="relay.example.net")
    scene.provide(address="127.0.0.77")


@healthy
def token_from_a_command(scene):
    """A server that takes tokens, and a command that prints one."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.machine.write("/root/token", "ya29.token\n", 0o600)
    scene.set(auth="oauthbearer", password=None, passwordeval="cat /root/token")
    scene.act({"EHLO": "250-x\r\n250 AUTH OAUTHBEARER XOAUTH2", "AUTH": "235 ok"})


@healthy
def login_by_certificate(scene):
    """AUTH EXTERNAL has no password at all."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.set(auth="external", password=None)
    scene.act({"EHLO": "250-x\r\n250 AUTH EXTERNAL", "AUTH": "235 ok"})


@healthy
def container_without_files(scene):
    """A bare container: no /etc/hosts, no /etc/nsswitch.conf, an odd line for the resolver."""
    for path in ("/etc/hosts", "/etc/nsswitch.conf", "/etc/os-release"):
        scene.machine.remove(path)
    scene.machine.write(
        "/etc/resolv.conf",
        "# NetworkManager\nsearch lan\noptions edns0 trust-ad\nnameserver 999.0.0.1\n"
        "nameserver 127.0.0.10\nnameserver fe80::1%eth0\n",
    )


@healthy
def relay_by_fingerprint(scene):
    """A relay whose certificate nobody signed, pinned by its fingerprint."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    fingerprint = scene.authority.fingerprint("stranger")
    scene.set(tls_trust_file=None, tls_fingerprint=fingerprint)
    scene.provide("stranger")


@healthy
def relay_by_ipv6(scene):
    """A relay that has an IPv6 address only."""
    scene.send_as("example.net")
    scene.through("relay6.example.net")
    scene.provide(address="::1")


@healthy
def ipv6_that_leads_nowhere(scene):
    """The relay has an IPv6 address too, and this machine no IPv6: as most have it."""
    scene.send_as("example.net")
    scene.through("both.example.net")
    scene.provide(address="127.0.0.20")


@healthy
def line_in_hosts_that_works(scene):
    """/etc/hosts has another address of the relay, as seen from within, and that one answers."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.provide(address="127.0.0.77")
    hosts = scene.machine.read("/etc/hosts")
    scene.machine.write("/etc/hosts", hosts + "127.0.0.77 relay.example.net\n")


@healthy
def postfix(scene):
    """A real Postfix with STARTTLS and logins by Dovecot."""
    _at_the_neighbours(scene)
    scene.through("mail.example.test", 587, starttls=True)
    scene.forward(587, scene.neighbours.postfix.ports["submission"])


@healthy
def dovecot(scene):
    """A real Dovecot that takes submissions with implicit TLS."""
    _at_the_neighbours(scene)
    scene.set(user=USER, password=PASSWORD)  # who has a home there
    scene.through("mail.example.test")
    scene.forward(465, scene.neighbours.dovecot.ports["submissions"])


@healthy
def local_postfix(scene):
    """The Postfix of this machine, in clear and without a login."""
    _at_the_neighbours(scene)
    scene.settings = {"host": "localhost", "port": "25", "from": scene.sender}
    scene.forward(25, scene.neighbours.postfix.ports["open"])


@healthy
def service(scene):
    """The service runs, and root asks."""
    scene.serve()


@healthy
def submitter(scene):
    """The service runs, and a user asks who may not read the password, nor needs to."""
    scene.serve()
    scene.machine.become(ALICE)


@healthy
def service_with_credential(scene):
    """The service has the password as a credential, and the account's file has none."""
    scene.machine.write("/etc/credstore/pillarbox.password", scene.password + "\n", 0o600)
    scene.set(password=None)
    scene.serve()


@healthy
def beside_postfix(scene):
    """One program sends with pillarbox, out of a folder of its own; sendmail is Postfix's."""
    scene.machine.write("/usr/sbin/sendmail", "#!/bin/sh\nexit 0\n", 0o755)
    scene.machine.write("/var/lib/dpkg/info/postfix.list", "/usr/sbin\n/usr/sbin/sendmail\n")


@healthy
def installed_and_not_started(scene):
    """The programs are in their place, the service is not wanted."""
    scene.install()


@healthy
def queue_of_a_user(scene):
    """A user's own queue, which is tried by whoever is called."""
    scene.file = "/home/alice/.msmtprc"
    scene.owner = scene.group = ALICE
    scene.set(queue="on")
    scene.machine.become(ALICE)


def _at_the_neighbours(scene):
    scene.arguments += ["--to", "me@test.com"]  # whom the Postfix here knows
    scene.machine.write("/etc/ssl/lab.pem", scene.neighbours.certificates.authority.read_bytes())
    scene.set(password=USERS[scene.sender], tls_trust_file="/etc/ssl/lab.pem")
