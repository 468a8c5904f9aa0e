"""From an address to a server: every source, in order, and none that lies is believed."""

import socket
import ssl
import time

import pytest
import trustme

from autoconfig_files import document, server
from nameserver import serve_zone
from peer import Peer
from pillarbox.config.providers import find_providers, load_providers
from pillarbox.dns.answers import LookupFailedError, Service
from pillarbox.errors import HostNotFoundError, NetworkError, UsageError
from pillarbox.mail.address import parse_mailbox
from pillarbox.setup import search
from pillarbox.setup.candidate import SOURCES, is_host_name
from pillarbox.setup.discover import Discovery, Seams, Wish, discover, seams_for
from pillarbox.setup.fetch import Fetcher, NotThereError
from pillarbox.setup.probe import Probed, Prober
from pillarbox.text import localize
from website import Website, page

ME = "me@example.com"
OWN = "https://autoconfig.example.com/mail/config-v1.1.xml?emailaddress=me%40example.com"
WELL_KNOWN = "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml"
ISPDB = "https://autoconfig.thunderbird.net/v1.1/example.com"


class World:
    """A world of tables: what the DNS, the web and the servers say; all that was asked is kept."""

    def __init__(self, *, dns=None, web=None, works=(), auth=("PLAIN",)):
        self.dns = dns or {}
        self.web = web or {}
        self.works = set(works)
        self.auth = auth
        self.asked = []
        self.fetched = []
        self.called = []

    def ask(self, name, kind):
        """Answer a question to the DNS."""
        self.asked.append(f"{kind} {name}")
        answer = self.dns.get((name, kind), ())
        if answer is None:
            raise LookupFailedError(name, kind, "no answer")
        return answer

    def fetch(self, url, patience_s):
        """Get a file."""
        assert 0 < patience_s <= 5
        self.fetched.append(url)
        if url not in self.web:
            raise NotThereError("there is no such file")
        return self.web[url]

    def probe(self, host, ways, patience_s):
        """Say whether a server answers; no host but those of ``works`` exists."""
        assert 0 < patience_s <= 30
        assert all(is_host_name(host) and tls in ("implicit", "starttls") for _, tls in ways)
        self.called += [f"{host}:{port}" for port, _ in ways]
        if not any(place.startswith(host + ":") for place in self.works):
            raise HostNotFoundError("there is no such host")
        found = []
        for port, tls in ways:
            is_proven = f"{host}:{port}" in self.works
            found.append(Probed(port, tls, is_proven=is_proven, auth=self.auth, problem="shut"))
            if is_proven:
                break
        return tuple(found)

    def look(self, address=ME, **wish):
        """Search in it."""
        seams = Seams(ask=self.ask, fetch=self.fetch, probe=self.probe)
        return discover(parse_mailbox(address), seams, Wish(**wish))


def mx(*hosts, domain="example.com"):
    """Return the MX of a domain."""
    return {(domain, "MX"): tuple((10 * place, host) for place, host in enumerate(hosts))}


def srv(*hosts, service="_submissions", port=465):
    """Return an SRV record set of example.com."""
    rows = tuple(Service(place, 0, port, host) for place, host in enumerate(hosts))
    return {(f"{service}._tcp.example.com", "SRV"): rows}


def told(discovery: Discovery, source: str) -> list[str]:
    """Return what was told of a source."""
    assert all(tried.source in SOURCES for tried in discovery.tried)
    return [f"{tried.what}: {tried.result}" for tried in discovery.tried if tried.source == source]


# -- the table --------------------------------------------------------------------------------


def test_a_known_domain_needs_nobody_but_its_server():
    """No DNS, no web: the table knows, and the server is called."""
    world = World(works=["smtp.qq.com:465"])
    found = world.look("me@QQ.com")
    best = found.best
    assert (best.host, best.port, best.tls, best.source) == (
        "smtp.qq.com",
        465,
        "implicit",
        "table",
    )
    assert (best.username, best.is_trusted, best.is_proven) == ("me@QQ.com", True, True)
    assert best.auth == ("PLAIN",)
    assert found.provider.id == "qq"
    assert (world.asked, world.fetched) == ([], [])
    assert told(found, "table") == ["qq.com: QQ Mail", "smtp.qq.com:465: it answers"]
    assert localize(found.tried[0].result, "zh") == "QQ 邮箱"


def test_a_port_that_is_blocked_gives_way_to_the_next():
    """What answers comes first, and what did not stays."""
    found = World(works=["smtp.qq.com:587"]).look("me@qq.com")
    assert [(str(each), each.tls, each.is_proven) for each in found.candidates] == [
        ("smtp.qq.com:587", "starttls", True),
        ("smtp.qq.com:465", "implicit", False),
    ]
    assert "smtp.qq.com:465: shut" in told(found, "table")


def test_a_known_provider_that_does_not_answer_is_the_end():
    """Nobody else knows better servers of his; what the table has is handed on, unproven."""
    world = World()
    found = world.look("me@qq.com")
    assert [str(each) for each in found.candidates] == ["smtp.qq.com:465", "smtp.qq.com:587"]
    assert not found.best.is_proven
    assert found.best.auth == find_providers("qq")[0].auth
    assert (world.asked, world.fetched) == ([], [])


@pytest.mark.parametrize("provider", load_providers(), ids=lambda provider: provider.id)
def test_off_the_net_every_provider_is_known_by_its_name(provider):
    """The first is the one to configure, and none is without TLS."""
    found = discover(parse_mailbox(ME), Seams(), Wish(provider=provider))
    assert found.provider is provider
    best = found.best
    assert (best.port, best.tls) == (provider.preferred.port, provider.preferred.tls)
    assert best.needs_region or best.host == provider.preferred.host
    assert {each.tls for each in found.candidates} <= {"implicit", "starttls"}
    assert len({str(each) for each in found.candidates}) == len(found.candidates)
    assert best.source == "given"


@pytest.mark.parametrize(
    ("name", "username"),
    [
        ("aliyun", "me@example.com"),
        ("aliyun-directmail", "me@example.com"),
        ("sendgrid", "apikey"),
        ("resend", "resend"),
        ("mailgun", "postmaster@example.com"),
        ("postmark", ""),
        ("ses", ""),
        ("mailjet", ""),
    ],
)
def test_the_login_name_follows_the_rule_of_the_provider(name, username):
    """Empty where only the person knows it; what he says goes before every rule."""
    provider = find_providers(name)[0]
    assert discover(parse_mailbox(ME), Seams(), Wish(provider=provider)).best.username == username
    wish = Wish(provider=provider, username="x")
    assert discover(parse_mailbox(ME), Seams(), wish).best.username == "x"


def test_a_region_is_asked_for_or_filled_in():
    """Without one the candidate says so, with a proposal; with one the host is whole."""
    (ses,) = find_providers("ses")
    best = discover(parse_mailbox(ME), Seams(), Wish(provider=ses)).best
    assert (best.needs_region, best.default_region) == (True, "us-east-1")
    assert best.port == 465
    wish = Wish(provider=ses, region="eu-west-1")
    hosts = {each.host for each in discover(parse_mailbox(ME), Seams(), wish).candidates}
    assert hosts == {"email-smtp.eu-west-1.amazonaws.com"}
    world = World(works=["email-smtp.eu-west-1.amazonaws.com:465"])
    assert world.look(provider=ses, region="eu-west-1").best.is_proven
    world.called.clear()
    assert world.look(provider=ses).best.needs_region
    assert world.called == []


@pytest.mark.parametrize(
    ("name", "region", "host"),
    [
        ("aliyun-directmail", "us-east-1", "smtpdm-us-east-1.aliyuncs.com"),
        ("aliyun-directmail", "cn-hangzhou", "smtpdm.aliyun.com"),
        ("zoho", "eu", "smtp.zoho.eu"),
        ("mailgun", "eu", "smtp.eu.mailgun.org"),
        ("qq", "eu", "smtp.qq.com"),
    ],
)
def test_a_region_chooses_among_the_hosts_that_name_it(name, region, host):
    """And changes nothing where no host does."""
    wish = Wish(provider=find_providers(name)[0], region=region)
    assert discover(parse_mailbox(ME), Seams(), wish).best.host == host


# -- given ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"host": "mail.example.net"}, ["465 implicit", "587 starttls"]),
        ({"host": "mail.example.net", "port": 587}, ["587 starttls", "587 implicit"]),
        ({"host": "mail.example.net", "port": 2525}, ["2525 starttls", "2525 implicit"]),
        ({"host": "mail.example.net", "port": 994}, ["994 implicit", "994 starttls"]),
        ({"host": "mail.example.net", "port": 2525, "tls": "implicit"}, ["2525 implicit"]),
        ({"host": "mail.example.net", "tls": "starttls"}, ["587 starttls"]),
    ],
)
def test_a_given_host_is_taken_as_it_is(wish, expected):
    """Nobody is asked who else it could be."""
    world = World(works=["mail.example.net:465"])
    found = world.look("me@qq.com", **wish)
    assert [f"{each.port} {each.tls}" for each in found.candidates] == expected
    assert {(each.host, each.source, each.is_trusted) for each in found.candidates} == {
        ("mail.example.net", "given", True)
    }
    assert (world.asked, world.fetched) == ([], [])


def test_a_port_that_is_shut_is_told_once():
    """It was asked in both ways all the same."""
    found = World(works=["mail.example.net:1"]).look(host="mail.example.net", port=2525)
    assert told(found, "given") == ["mail.example.net:2525: shut"]
    assert len(found.candidates) == 2


def test_a_given_host_of_a_provider_brings_his_rules():
    """The table knows whose it is."""
    found = World().look(host="smtp.sendgrid.net")
    assert (found.provider.id, found.best.username) == ("sendgrid", "apikey")


@pytest.mark.parametrize(("port", "provider"), [(25, None), (1025, "proton-bridge")])
def test_a_relay_on_this_machine_is_a_bridge_at_its_port_only(port, provider):
    """127.0.0.1 is everybody's."""
    found = discover(parse_mailbox(ME), Seams(), Wish(host="127.0.0.1", port=port))
    assert (found.provider.id if found.provider else None) == provider
    assert str(found.best) == f"127.0.0.1:{port}"


# -- MX ---------------------------------------------------------------------------------------


def test_the_mx_tells_the_provider():
    """The tutorial's case: an own domain at Aliyun."""
    world = World(
        dns=mx("mx1.qiye.aliyun.com", "mx2.qiye.aliyun.com"),
        works=["smtp.qiye.aliyun.com:465"],
    )
    found = world.look("no-reply@example.com")
    best = found.best
    assert (str(best), best.source, best.is_proven) == ("smtp.qiye.aliyun.com:465", "mx", True)
    assert best.username == "no-reply@example.com"
    assert found.provider.id == "aliyun-qiye"
    assert world.asked == ["MX example.com"]
    assert world.fetched == []


def test_any_mx_may_be_the_one_that_is_known():
    """A filter of one's own may stand before the provider."""
    found = World(dns=mx("filter.example.com", "mxbiz1.qq.com")).look()
    assert found.provider.id == "tencent-exmail"


@pytest.mark.parametrize("hosts", [(), ("",), ("127.0.0.1",), ("evil host",)])
def test_an_mx_that_names_nobody_is_told_so(hosts):
    """No records, the null MX (RFC 7505), and what is no host."""
    found = World(dns=mx(*hosts)).look()
    assert found.candidates == ()
    assert any("nobody receives" in line for line in told(found, "mx"))


def test_attack_mx_that_only_looks_like_a_provider():
    """A suffix counts with the dot before it."""
    found = World(dns=mx("mx1.evilqiye.aliyun.com.evil.example", "xqiye.aliyun.com")).look()
    assert found.provider is None
    assert found.candidates == ()


# -- SRV --------------------------------------------------------------------------------------


def test_srv_names_servers_of_the_domain():
    """TLS first before STARTTLS; the full address is the login name (RFC 6186 4)."""
    dns = srv("smtp.example.com") | srv("smtp.example.com", service="_submission", port=587)
    world = World(dns=dns, works=["smtp.example.com:587"])
    found = world.look()
    assert [(str(each), each.tls, each.is_proven) for each in found.candidates] == [
        ("smtp.example.com:587", "starttls", True),
        ("smtp.example.com:465", "implicit", False),
    ]
    assert {(each.source, each.is_trusted, each.username) for each in found.candidates} == {
        ("srv", True, ME)
    }
    assert world.fetched == []


def test_attack_srv_that_names_a_stranger():
    """Without DNSSEC anybody in between could have written it: a person must agree."""
    world = World(dns=srv("smtp.evil.example"), works=["smtp.evil.example:465"])
    found = world.look()
    assert [(str(each), each.is_trusted) for each in found.candidates] == [
        ("smtp.evil.example:465", False)
    ]
    assert world.fetched  # the search for somebody to be trusted went on


@pytest.mark.parametrize("host", ["smtp.notexample.com", "example.com.evil.example"])
def test_attack_srv_that_only_looks_like_the_domain(host):
    """The domain's own is what ends in a dot and the domain."""
    assert not World(dns=srv(host)).look().best.is_trusted


def test_srv_may_name_a_provider():
    """A server that everybody knows is no stranger."""
    found = World(dns=srv("smtp.fastmail.com"), works=["smtp.fastmail.com:465"]).look()
    assert (found.best.is_trusted, found.provider.id) == (True, "fastmail")


def test_a_trusted_server_stands_before_a_stranger_that_answers():
    """Whoever was found first."""
    dns = srv("smtp.evil.example")
    web = {OWN: document(server())}
    found = World(dns=dns, web=web, works=["smtp.evil.example:465"]).look()
    assert [each.host for each in found.candidates] == ["smtp.example.com", "smtp.evil.example"]
    assert [each.is_proven for each in found.candidates] == [False, True]


def test_two_who_name_the_same_are_one():
    """Of these the one counts that may be trusted."""
    dns = srv("smtp.hoster.example")
    web = {ISPDB: document(server(hostname="smtp.hoster.example"))}
    found = World(dns=dns, web=web, works=["smtp.hoster.example:465"]).look()
    (only,) = found.candidates
    assert (only.source, only.is_trusted, only.is_proven) == ("autoconfig", True, True)


@pytest.mark.parametrize(
    "dns",
    [
        {},
        srv(""),
        srv("127.0.0.1"),
        srv("localhost"),
        srv("smtp.example.com", port=22),
        srv("smtp.example.com", port=0),
    ],
    ids=["none", "dot", "address", "localhost", "ssh", "no port"],
)
def test_srv_that_names_nobody_is_told_so(dns):
    """Among them "." (RFC 6186 3.4), and what nobody should connect to."""
    found = World(dns=dns).look()
    assert found.candidates == ()
    assert told(found, "srv") == [
        "SRV _submissions._tcp.example.com: it names no server that could be used"
    ]


# -- autoconfig -------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [OWN, WELL_KNOWN, ISPDB])
def test_an_autoconfig_file_names_servers(url):
    """The domain's own words before the collection's; with the login name that they give."""
    file = document(
        server(hostname="smtp.hoster.example", port="587", socketType="STARTTLS"),
        server(hostname="smtp.hoster.example", username="%EMAILLOCALPART%"),
    )
    world = World(web={url: file}, works=["smtp.hoster.example:465"], auth=("XOAUTH2",))
    found = world.look()
    best = found.best
    assert (str(best), best.username, best.auth) == ("smtp.hoster.example:465", "me", ("XOAUTH2",))
    assert (best.source, best.is_trusted, best.is_proven) == ("autoconfig", True, True)
    assert world.fetched == [OWN, WELL_KNOWN, ISPDB][: len(world.fetched)]
    assert world.fetched[-1] == url


def test_the_address_is_for_the_domain_only():
    """Privacy: neither the ISPDB, nor the DNS, nor a server that is called hears who it is."""
    world = World(dns=mx("mx.hoster.example"))
    found = world.look("very.secret.person@example.com")
    heard = [url for url in world.fetched if "person" in url]
    assert len(heard) == 1
    assert heard[0].startswith("https://autoconfig.example.com/")
    assert not any("person" in text for text in world.asked + world.called)
    assert not any("person" in tried.what for tried in found.tried)


def test_everything_on_the_web_is_asked_by_https():
    """A network in between could answer for everybody else."""
    world = World(dns=mx("mx.hoster.example"))
    world.look()
    assert len(world.fetched) == 4
    assert all(url.startswith("https://") for url in world.fetched)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("mx1.mail.hoster.example", "hoster.example"),
        ("hoster.example", "hoster.example"),
        ("mx.hoster.co.uk", "hoster.co.uk"),
        ("mx.hoster.com.cn", "hoster.com.cn"),
        ("hoster.cn", "hoster.cn"),
        ("mx.hosters.cn", "hosters.cn"),
    ],
)
def test_the_domain_of_the_mx_is_asked_for_at_last(host, base):
    """A person must agree to what comes of it: the MX may be a lie."""
    url = f"https://autoconfig.thunderbird.net/v1.1/{base}"
    file = document(server(hostname="smtp.hoster.example"))
    world = World(dns=mx(host), web={url: file}, works=["smtp.hoster.example:465"])
    found = world.look()
    assert world.fetched[3:] == [url]
    assert (found.best.is_proven, found.best.is_trusted) == (True, False)


def test_a_file_that_is_an_attack_is_told_and_passed_over():
    """The next place is asked."""
    world = World(
        web={OWN: b"<!DOCTYPE a>", WELL_KNOWN: b"<html/>", ISPDB: document(server(port="22"))}
    )
    lines = told(world.look(), "autoconfig")
    assert "document type" in lines[0]
    assert "not about mail" in lines[1]
    assert "no server that could be used" in lines[2]


def test_attack_file_with_many_servers():
    """A few are called, and the rest is not."""
    rows = [server(hostname=f"s{number}.example.com") for number in range(16)]
    world = World(web={OWN: document(*rows)})
    world.look()
    assert [place for place in world.called if place[0] == "s" and place[1].isdigit()] == [
        f"s{number}.example.com:465" for number in range(6)
    ]


# -- a guess ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["smtp.example.com:465", "mail.example.com:587"])
def test_a_guess_counts_when_it_proves_its_name(place):
    """Where mail servers mostly are."""
    found = World(works=[place]).look()
    (only,) = found.candidates
    assert (str(only), only.source, only.is_trusted, only.is_proven) == (place, "probe", True, True)


def test_a_guess_that_does_not_answer_is_none():
    """What was called is told."""
    found = World().look()
    assert found.candidates == ()
    assert found.best is None
    assert told(found, "probe") == [
        "smtp.example.com:465, smtp.example.com:587: there is no such host",
        "mail.example.com:465, mail.example.com:587: there is no such host",
    ]


def test_the_mx_itself_may_take_mail():
    """One of the domain is trusted, another's is not."""
    found = World(dns=mx("mx.example.com"), works=["mx.example.com:465"]).look()
    assert (found.best.host, found.best.is_trusted) == ("mx.example.com", True)
    found = World(dns=mx("mx.hoster.example"), works=["mx.hoster.example:587"]).look()
    assert (found.best.host, found.best.is_trusted) == ("mx.hoster.example", False)


# -- off the net ------------------------------------------------------------------------------


def test_off_the_net_an_own_domain_is_for_a_person_to_say():
    """Nothing is found, and why is told for each source."""
    found = discover(parse_mailbox(ME), Seams(no_ask="dnspython is missing"))
    assert (found.candidates, found.provider) == ((), None)
    assert [tried.source for tried in found.tried] == [
        "table",
        "mx",
        "srv",
        *["autoconfig"] * 3,
        *["probe"] * 2,
    ]
    assert told(found, "mx") == ["MX example.com: not asked: dnspython is missing"]
    assert all("not asked" in tried.result for tried in found.tried[1:])


def test_a_dns_that_fails_is_asked_once():
    """The web and the servers are asked all the same."""
    world = World(dns={("example.com", "MX"): None}, works=["smtp.example.com:465"])
    found = world.look()
    assert world.asked == ["MX example.com"]
    assert "cannot look up MX of example.com" in told(found, "mx")[0]
    assert told(found, "srv")[0].endswith("not asked: the DNS did not answer before")
    assert found.best.is_proven
    world = World(dns={("_submissions._tcp.example.com", "SRV"): None})
    assert "cannot look up SRV" in told(world.look(), "srv")[0]


def test_without_dnspython_the_rest_works(monkeypatch):
    """The missing extra is named."""
    monkeypatch.setitem(__import__("sys").modules, "dns.resolver", None)
    seams = seams_for({})
    assert seams.ask is None
    assert "pillarbox[dns]" in seams.no_ask
    assert isinstance(seams.fetch, Fetcher)
    assert isinstance(seams.probe, Prober)


def test_a_wrong_variable_is_told_at_once():
    """It is no reason to go without the DNS."""
    with pytest.raises(UsageError, match="PILLARBOX_DNS"):
        seams_for({"PILLARBOX_DNS": "nonsense"})
    assert seams_for({"PILLARBOX_DNS": "127.0.0.1:53"}).ask is not None


def test_the_whole_search_has_an_end(monkeypatch):
    """When time is up nobody is asked any more."""
    monkeypatch.setattr(search, "SEARCH_S", 0.0)
    world = World(dns=mx("mx.hoster.example"), works=["smtp.example.com:465"])
    found = world.look()
    assert (world.fetched, world.called) == ([], [])
    assert found.candidates == ()
    assert any("no time left" in line for line in told(found, "autoconfig"))
    assert any("no time left" in line for line in told(found, "probe"))


@pytest.mark.parametrize("address", ["root", "me@localhost", "me@[192.0.2.1]", "me@host", "me@1.2"])
def test_an_address_without_a_domain_of_the_dns_asks_nobody(address):
    """There is nothing to look up; a given host is taken all the same."""
    world = World()
    found = world.look(address)
    assert found.candidates == ()
    assert "no domain that could be looked up" in found.tried[0].result
    assert (world.asked, world.fetched, world.called) == ([], [], [])
    assert str(world.look(address, host="mail.example.com").best) == "mail.example.com:465"


def test_a_domain_that_is_not_ascii_is_looked_up_as_the_dns_has_it():
    """And stays as it is in the login name."""
    dns = mx("mx1.qiye.aliyun.com", domain="xn--fsq.xn--fiqs8s")
    found = World(dns=dns).look("me@\u4f8b.\u4e2d\u56fd")
    assert found.best.username == "me@\u4f8b.\u4e2d\u56fd"


def test_what_is_tried_is_shown_at_once():
    """A person sees that something is going on."""
    shown = []
    world = World()
    seams = Seams(ask=world.ask, fetch=world.fetch, probe=world.probe)
    found = discover(parse_mailbox(ME), seams, show=shown.append)
    assert tuple(shown) == found.tried


def test_a_failure_of_the_web_is_no_failure_of_the_search():
    """It is told."""

    def fetch(_url, _patience_s):
        raise NetworkError("the network is down")

    found = discover(parse_mailbox(ME), Seams(fetch=fetch))
    assert told(found, "autoconfig")[0].endswith("the network is down")


# -- all of it, for real ----------------------------------------------------------------------


ZONE = {
    ("tutorial.example.", "MX"): ["10 MX2.qiye.aliyun.com.", "5 mx1.qiye.aliyun.com."],
    ("null.example.", "MX"): ["0 ."],
    ("_submissions._tcp.srv.example.", "SRV"): ["0 1 465 SMTP.srv.example."],
    ("_submission._tcp.srv.example.", "SRV"): ["0 0 0 ."],
}


@pytest.fixture
def nameserver():
    """Serve ZONE on loopback; return what names it in the environment."""
    with serve_zone(ZONE) as place:
        yield {"PILLARBOX_DNS": place}


@pytest.mark.parametrize(
    ("domain", "place", "source"),
    [
        ("tutorial.example", "smtp.qiye.aliyun.com:465", "mx"),
        ("srv.example", "smtp.srv.example:465", "srv"),
        ("null.example", "None", ""),
        ("nothing.example", "None", ""),
    ],
)
def test_a_real_nameserver_is_asked(nameserver, domain, place, source):
    """MX and SRV as they come over the wire."""
    found = discover(parse_mailbox(f"me@{domain}"), Seams(ask=seams_for(nameserver).ask))
    assert str(found.best) == place
    assert source in ("", getattr(found.best, "source", ""))


def test_a_domain_with_a_file_and_a_server_is_found(tmp_path):
    """Real HTTPS, real TLS, a real EHLO: from an address to the server that was proved."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("smtp.example.com").configure_cert(context)

    def resolver(name, port, **more):
        if name == b"smtp.example.com":
            return socket.getaddrinfo("127.0.0.1", port, **more)
        return site.resolver(name, port, **more)

    with Peer(tls="implicit", context=context, wants_login=True) as mail_server:
        file = document(server(port=str(mail_server.port)))
        pages = {OWN.removeprefix("https://"): page(file)}
        with Website(tmp_path, ("autoconfig.example.com",), pages, ca=ca) as site:
            ca.cert_pem.write_to_path(site.trust_file)
            seams = Seams(
                fetch=Fetcher(site.trust_file, resolver=resolver),
                probe=Prober(site.trust_file, resolver=resolver),
            )
            start = time.monotonic()
            found = discover(parse_mailbox(ME), seams)
    assert time.monotonic() - start < 10
    assert (str(found.best), found.best.is_proven) == (f"smtp.example.com:{mail_server.port}", True)
    assert found.best.auth == ("LOGIN", "PLAIN")
