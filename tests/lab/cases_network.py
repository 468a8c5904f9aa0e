"""Cases: what is wrong between the machine and the provider: names, ports, certificates."""

# ruff: noqa: D401 (what a case does is in its decorator; its docstring says what is the matter)

import ssl
import time
import warnings
from email.utils import formatdate

from lab.cases import broken
from lab.zones import CAPTIVE_DNS

__all__ = []

_PORTAL = (
    b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\nConnection: close\r\n\r\n"
)
_SOON = "2"  # seconds: what nobody answers need not be waited for long here
_DAY_S = 86400


# -- the resolver ----------------------------------------------------------------------------------


@broken("resolver.none", "/etc/resolv.conf")
def no_resolv_conf(scene):
    """The machine has no /etc/resolv.conf, as a badly made container."""
    scene.machine.remove("/etc/resolv.conf")


@broken("resolver.none", "nameserver")
def resolv_conf_without_nameserver(scene):
    """All that is left in /etc/resolv.conf is a search list."""
    scene.machine.write("/etc/resolv.conf", "search example.com\n")


@broken("resolver.silent", "/etc/resolv.conf")
def dead_nameserver(scene):
    """Nobody is where the nameserver was."""
    scene.machine.write(
        "/etc/resolv.conf", "nameserver 127.0.0.200\noptions timeout:1 attempts:1\n"
    )


@broken("resolver.silent", "/etc/resolv.conf")
def filtered_nameserver(scene):
    """A firewall swallows what is asked of the nameserver."""
    scene.network.filter("udp dport 53 drop", "tcp dport 53 drop")
    scene.machine.write("/etc/resolv.conf", "nameserver 127.0.0.10\noptions timeout:1 attempts:1\n")


@broken("resolver.slow", "/etc/resolv.conf", is_warning=True)
def first_nameserver_is_dead(scene):
    """The first of two nameservers is gone, and every name is asked twice."""
    scene.sender = "someone@qq.com"  # about whose domain nothing has to be asked
    scene.set(user=scene.sender, **{"from": scene.sender})
    scene.through("smtp.qq.com")
    scene.machine.write(
        "/etc/resolv.conf",
        "nameserver 127.0.0.200\nnameserver 127.0.0.10\noptions timeout:1 attempts:1\n",
    )


@broken("resolver.silent", "systemd-resolved")
def stub_resolver_is_down(scene):
    """systemd-resolved has stopped, and its address is in /etc/resolv.conf."""
    scene.machine.write(
        "/etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad timeout:1 attempts:1\n"
    )


@broken("resolver.nsswitch", "hosts: files dns")
def nsswitch_without_dns(scene):
    """The C library is told to look into files only."""
    scene.machine.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")


# -- names -----------------------------------------------------------------------------------------


@broken("names.unknown", "smtp.qiye.aliyun.com")
def misspelt_host(scene):
    """A letter of the host's name is wrong."""
    scene.set(host="smtp.qiye.aliyum.com")


@broken("names.unknown", "smtp.qiye.aliyun.com")
def host_of_the_website(scene):
    """Somebody guessed the host's name."""
    scene.set(host="smtp.aliyun-qiye.com")


@broken("config.doubtful", "smtp.qiye.aliyun.com", is_warning=True)
def full_width_dots(scene):
    """The host was typed with a Chinese keyboard: its dots are no dots, though it is found."""
    scene.provide()
    scene.set(host="smtp。qiye。aliyun。com")


@broken("names.sinkhole", "sunk.example.net")
def sunk_name(scene):
    """A name server that blocks advertisements has the relay on its list."""
    scene.set(host="sunk.example.net")


@broken("names.none", "host")
def name_without_address(scene):
    """The name exists and has no address."""
    scene.set(host="empty.example.net")


@broken("names.temporary", "again")
def failing_zone(scene):
    """The nameserver says that it cannot answer for that name."""
    scene.set(host="smtp.servfail.example")
    scene.machine.write("/etc/resolv.conf", "nameserver 127.0.0.10\noptions timeout:1 attempts:1\n")


@broken("connect.hosts", "/etc/hosts")
def forgotten_line_in_hosts(scene):
    """A line in /etc/hosts from last year's move sends all to an address that is no more."""
    scene.provide()
    hosts = scene.machine.read("/etc/hosts")
    scene.machine.write("/etc/hosts", hosts + "127.0.0.99 smtp.qiye.aliyun.com\n")


@broken("names.hosts", "/etc/hosts", is_warning=True)
def pinned_address(scene):
    """Somebody has put the provider's address of today into /etc/hosts."""
    scene.provide(address="127.0.0.77")
    hosts = scene.machine.read("/etc/hosts")
    scene.machine.write("/etc/hosts", hosts + "127.0.0.77 smtp.qiye.aliyun.com\n")


@broken("connect.captive", "browser")
def captive_network(scene):
    """A hotel's network answers every name with its portal, and every port with a redirect."""
    scene.machine.write("/etc/resolv.conf", f"nameserver {CAPTIVE_DNS}\n")
    for port in (465, 587, 25):
        scene.speak(b"", _PORTAL, address="127.0.0.9", port=port)


# -- the port --------------------------------------------------------------------------------------


@broken("connect.refused", "host")
def nobody_listens(scene):
    """The relay's host is there and its mail server is not."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.leave_alone()


@broken("connect.blocked", "port 465", "tls_starttls off")
def cloud_blocks_port_25(scene):
    """A cloud swallows port 25, and the account uses it."""
    scene.through("smtp.qiye.aliyun.com", 25, starttls=True)
    scene.set(timeout=_SOON)
    scene.network.filter("tcp dport 25 drop")
    scene.provide()


@broken("connect.blocked", "port 587", "tls_starttls on")
def firewall_blocks_port_465(scene):
    """A firewall lets 587 through, and the account uses 465."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.set(timeout=_SOON)
    scene.fill(465)
    scene.provide(port=587, tls="starttls")


@broken("connect.blocked", "465")
def firewall_blocks_all(scene):
    """A firewall swallows all three ports."""
    scene.set(timeout=_SOON)
    scene.network.filter("tcp dport { 25, 465, 587 } drop")
    scene.provide()


@broken("connect.unreachable", "route")
def firewall_forbids_all(scene):
    """A firewall says for all three ports that they are forbidden."""
    scene.network.filter("tcp dport { 25, 465, 587 } reject with icmpx admin-prohibited")
    scene.provide()


@broken("connect.unreachable", "route")
def no_route(scene):
    """No route leads to the relay: the default route is gone."""
    scene.send_as("example.net")
    scene.through("unreachable.example.net")
    scene.leave_alone()


@broken("connect.blocked", "465")
def own_firewall(scene):
    """The machine's own firewall lets nothing out."""
    scene.set(timeout=_SOON)
    scene.network.filter("tcp dport { 25, 465, 587 } drop", hook="output")
    scene.provide()


@broken("connect.blocked", "port 587")
def one_port_is_forbidden(scene):
    """A firewall says "no route to host" for 465, and lets 587 through."""
    _own_relay(scene)
    scene.network.filter("tcp dport 465 reject with icmpx admin-prohibited")
    scene.provide(port=587, tls="starttls")


@broken("connect.socket", "runs")
def nobody_at_the_socket(scene):
    """The account sends through a socket, whose server has gone."""
    scene.settings = {"socket": "/run/relay.sock", "from": "no-reply@example.net"}
    scene.machine.write("/run/relay.sock", "")


@broken("names.ipv6-only", "IPv6")
def only_ipv6(scene):
    """The relay has an IPv6 address only, and this machine no IPv6."""
    scene.send_as("example.net")
    scene.through("six.example.net")


@broken("connect.wrong-port", "port 465")
def misspelt_port(scene):
    """A digit too many in the port."""
    scene.set(port="4650")


@broken("connect.captive", "browser")
def captive_answer(scene):
    """The name is right and the port is the portal's all the same."""
    scene.speak(b"", _PORTAL)


@broken("connect.captive", "browser")
def captive_answer_unasked(scene):
    """A middlebox says HTTP before it was asked."""
    scene.speak(_PORTAL, hangs_up=True)


@broken("connect.not-smtp", "port")
def ssh_at_the_port(scene):
    """The port was moved to SSH, to get through firewalls."""
    scene.speak(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")


@broken("connect.not-smtp", "port 465")
def imap_port(scene):
    """The account has the port for reading mail."""
    scene.set(port="993")
    scene.provide()
    scene.act({"": "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready"}, port=993)


@broken("connect.not-smtp", "port 465")
def pop_port(scene):
    """The account has the port for fetching mail, in clear."""
    scene.set(port="110", tls_starttls="on")
    scene.provide()
    scene.speak(b"+OK POP3 ready\r\n", port=110)


@broken("config.settings", "tls_starttls off")
def starttls_at_465(scene):
    """The tutorial's trap: STARTTLS at a port where TLS comes first."""
    scene.set(tls_starttls="on")


@broken("config.settings", "tls_starttls on")
def implicit_tls_at_587(scene):
    """TLS from the first octet, at a port where STARTTLS is wanted."""
    _own_relay(scene)
    scene.set(port="587")
    scene.provide(port=587, tls="starttls")


@broken("connect.tls-mode", "tls_starttls off")
def starttls_where_tls_comes_first(scene):
    """The same mistake at a port of one's own, which only the server can tell."""
    _own_relay(scene)
    scene.set(port="2465", tls_starttls="on", timeout=_SOON)
    scene.provide(port=2465)


@broken("connect.tls-mode", "tls_starttls on")
def tls_where_starttls_comes_first(scene):
    """And the other way round."""
    _own_relay(scene)
    scene.set(port="2587")
    scene.provide(port=2587, tls="starttls")


@broken("connect.closed", "support")
def greeting_554(scene):
    """The relay sends this address away before anything was said."""
    _own_relay(scene)
    scene.act({"": "554 5.7.1 <unknown[203.0.113.7]>: Client host rejected: Access denied"})


@broken("connect.closed", "wait")
def greeting_421(scene):
    """The server is full."""
    scene.act({"": "421 4.7.0 Too many concurrent connections, try again later"})


@broken("connect.closed")
def closes_at_once(scene):
    """The server hangs up without a word."""
    scene.speak(hangs_up=True)


@broken("connect.proxy", "proxy_host")
def dead_proxy(scene):
    """The proxy is not there."""
    scene.set(proxy_host="127.0.0.30", proxy_port="1080")


@broken("connect.source", "source_ip")
def source_is_not_ours(scene):
    """The address that it should come from is not this machine's any more."""
    scene.set(source_ip="192.0.2.7")


@broken("connect.ipv6", "gai.conf", is_warning=True)
def ipv6_is_broken(scene):
    """The relay's IPv6 address takes no connections, its IPv4 address does."""
    scene.send_as("example.net")
    scene.through("half.example.net")
    scene.provide(address="127.0.0.20")


# -- the clock -------------------------------------------------------------------------------------


def _fake_time(scene, by):
    scene.machine.environment |= scene.shift_clock(by)


def _name_time_server(scene, ahead_s=0):
    scene.machine.write("/etc/systemd/timesyncd.conf", "[Time]\nNTP=127.0.0.6\n")
    scene.tell_time(ahead_s)


@broken("clock.behind", "timedatectl")
def clock_without_battery(scene):
    """The clock began at 2019, as it does on a board without a battery."""
    scene.machine.write("/var/lib/dpkg/status", "Package: dash\n")
    _fake_time(scene, "@2019-02-14 10:00:00")


@broken("clock.wrong", "timedatectl")
def clock_is_a_year_ahead(scene):
    """The clock is ahead, and every certificate looks as if it had ended."""
    _fake_time(scene, "+400d")
    _name_time_server(scene)


@broken("clock.wrong", "timedatectl")
def clock_is_an_hour_behind(scene):
    """Somebody took local time for UTC."""
    _name_time_server(scene, 3600)


@broken("clock.skewed", "timedatectl", is_warning=True)
def clock_drifts(scene):
    """The clock is off by a minute and a half: tokens and DATE fields suffer."""
    _name_time_server(scene, -90)


@broken("tls.clock", "timedatectl")
def clock_that_only_the_server_contradicts(scene):
    """No time server is known, and the mail server's greeting has the date."""
    _fake_time(scene, "+400d")
    scene.act({"": f"220 mail.example.net ESMTP Exim 4.96 {formatdate(time.time())}"})


# -- TLS -------------------------------------------------------------------------------------------


def _own_relay(scene):
    scene.send_as("example.net")
    scene.through("relay.example.net")


@broken("tls.expired", "renew")
def expired_certificate(scene):
    """The relay's certificate ended ten days ago."""
    _own_relay(scene)
    scene.provide("expired")


@broken("tls.not-yet", "clock")
def certificate_of_the_future(scene):
    """The relay's certificate begins in twenty days."""
    _own_relay(scene)
    scene.provide("future")


@broken("tls.expiring", "renew", is_warning=True)
def certificate_ends_soon(scene):
    """The relay's certificate has four days left."""
    _own_relay(scene)
    scene.provide("expiring")


@broken("tls.name", "host smtp.qiye.aliyun.com")
def name_of_ones_own(scene):
    """The host is a CNAME in the own domain, which the provider's certificate does not have."""
    scene.set(host="smtp.example.com")
    scene.provide("provider", address="127.0.0.2")


@broken("tls.name", "mail.elsewhere.example")
def certificate_of_another_host(scene):
    """The relay shows a certificate for another name."""
    _own_relay(scene)
    scene.provide("wrong-name")


@broken("tls.untrusted", "tls_trust_file")
def self_signed_relay(scene):
    """The relay's certificate is signed by nobody that the machine knows."""
    _own_relay(scene)
    scene.provide("stranger")


@broken("tls.untrusted", "network")
def intercepted(scene):
    """A middlebox shows its own certificate in place of the provider's."""
    scene.provide("captive")


@broken("machine.store", "tls_trust_file system")
def no_trust_file(scene):
    """The configured file of authorities is not there."""
    scene.set(tls_trust_file="/etc/ssl/company.pem")


@broken("machine.store", "tls_trust_file system")
def trust_file_is_no_pem(scene):
    """The configured file of authorities holds something else."""
    scene.machine.write("/etc/ssl/company.pem", "<html>404 not found</html>\n")
    scene.set(tls_trust_file="/etc/ssl/company.pem")


@broken("tls.fingerprint", "tls_fingerprint")
def old_fingerprint(scene):
    """The fingerprint is that of last year's certificate."""
    fingerprint = ":".join(["AB"] * 32)
    scene.set(tls_trust_file=None, tls_fingerprint=fingerprint)


@broken("tls.version")
def server_of_yesterday(scene):
    """The relay knows TLS 1.1 and nothing newer."""
    _own_relay(scene)
    context = scene.authority.context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    scene.provide(context=context)


@broken("tls.client-certificate", "tls_cert_file")
def server_wants_a_certificate(scene):
    """The relay takes clients with a certificate only, and the account has none."""
    _own_relay(scene)
    scene.act(certificate="good", wants_certificate=True)


@broken("tls.no-starttls", "465")
def no_starttls(scene):
    """A firewall takes STARTTLS out of what the server offers."""
    _own_relay(scene)
    scene.through("relay.example.net", 587, starttls=True)
    scene.act(port=587, tls="none")


@broken("config.settings", "tls on")
def login_in_clear(scene):
    """TLS is off, and the password would be for everybody on the way to read."""
    scene.set(tls="off", tls_starttls=None, tls_trust_file=None, port="25")
    scene.provide(port=25, tls="none")


@broken("config.doubtful", "tls_certcheck off", is_warning=True)
def certificate_is_not_looked_at(scene):
    """Somebody switched the check off to get rid of a message."""
    scene.set(tls_certcheck="off", tls_trust_file=None)


@broken("connect.silent", "network")
def tls_never_answers(scene):
    """The connection is taken and TLS is never answered."""
    _own_relay(scene)
    scene.set(timeout=_SOON)
    scene.speak()
