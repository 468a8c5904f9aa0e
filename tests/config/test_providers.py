"""Which provider is meant, and what is known of it, as values."""

import pytest

from pillarbox.config.providers import (
    find_providers,
    load_generic_replies,
    load_providers,
    provider_of_domain,
    provider_of_endpoint,
    provider_of_host,
    provider_of_mx,
)

MEANT = [
    # what a person writes, the identifiers that he may mean
    ("aliyun", ["aliyun-qiye"]),
    ("aliyun-qiye", ["aliyun-qiye"]),
    ("  Aliyun-QIYE ", ["aliyun-qiye"]),
    ("alyun", ["aliyun-qiye"]),
    ("gmial", ["gmail"]),
    ("microsft365", ["microsoft365"]),
    ("Amazon SES", ["ses"]),
    ("腾讯企业", ["tencent-exmail"]),
    ("飞书", ["feishu"]),
    ("foxmail.com", ["qq"]),
    ("somebody@QQ.com", ["qq"]),
    ("smtp.163.com", ["netease-163"]),
    ("SMTP.163.com.", ["netease-163"]),
    ("email-smtp.eu-west-3.amazonaws.com", ["ses"]),
    ("mx1.qiye.aliyun.com", ["aliyun-qiye"]),
    ("example-com.mail.protection.outlook.com", ["microsoft365"]),
    ("网易", ["netease-126", "netease-163", "netease-qiye", "netease-yeah"]),
    ("proton", ["proton"]),
    ("", []),
    ("@", []),
    ("   ", []),
    ("nobody knows it", []),
    ("example.org", []),
]


@pytest.mark.parametrize(("words", "ids"), MEANT)
def test_who_is_meant(words, ids):
    """A name in either language, a slip of the finger, a domain, a host or an MX."""
    assert [provider.id for provider in find_providers(words)] == ids


def test_every_provider_is_found_by_everything_it_is_called():
    """Identifier, aliases and domains each name one alone."""
    for provider in load_providers():
        for word in (provider.id, *provider.aliases):
            assert [each.id for each in find_providers(word)] == [provider.id]
        for domain in provider.domains:
            assert provider_of_domain(domain.upper() + ".").id == provider.id
            assert find_providers(f"x@{domain}")


@pytest.mark.parametrize(
    "host",
    [
        "smtp.qiye.aliyun.com.example.org",
        "xsmtp.qiye.aliyun.com",
        "email-smtp..amazonaws.com",
        "email-smtp.a.b.amazonaws.com",
        "",
    ],
)
def test_a_host_that_only_looks_like_a_providers_is_nobodys(host):
    """Attack: a host that ends or begins like a provider's gets none of its trust."""
    assert provider_of_host(host) is None


@pytest.mark.parametrize(
    ("host", "port", "known"),
    [
        ("smtp.qiye.aliyun.com", 465, "aliyun-qiye"),
        ("smtp.qiye.aliyun.com", 2525, "aliyun-qiye"),
        ("127.0.0.1", 1025, "proton-bridge"),
        ("127.0.0.1", 25, ""),
        ("localhost", 1025, ""),
        ("[::1]", 1025, ""),
        ("smtp.example.com", 465, ""),
    ],
)
def test_on_this_computer_the_port_decides_whose_server_it_is(host, port, known):
    """Any relay may be there; elsewhere a host is its provider's at every port."""
    provider = provider_of_endpoint(host, port)
    assert (provider.id if provider is not None else "") == known


@pytest.mark.parametrize("mx", ["qiye.aliyun.com.example.org", "xqiye.aliyun.com", "com", ""])
def test_an_mx_belongs_to_a_provider_only_by_whole_labels(mx):
    """A suffix of letters is not a suffix of a name."""
    assert provider_of_mx(mx) is None


def test_the_longest_suffix_of_an_mx_decides():
    """What the personal and the enterprise mail of one provider share is not enough."""
    assert provider_of_mx("MX1.qiye.aliyun.com.").id == "aliyun-qiye"
    assert provider_of_mx("mxn.mxhichina.com").id == "aliyun-qiye"
    assert provider_of_mx("aspmx.l.google.com").id == "google-workspace"


def test_the_best_endpoint_comes_first():
    """It is never one without TLS."""
    for provider in load_providers():
        assert provider.preferred.is_preferred
        assert provider.preferred.tls in ("implicit", "starttls")
        assert not any(endpoint.is_preferred for endpoint in provider.endpoints[1:])


def test_texts_are_in_the_language_that_is_asked_for():
    """Name, password and steps are there in both."""
    provider = find_providers("qq")[0]
    assert (provider.name("en"), provider.name("zh")) == ("QQ Mail", "QQ 邮箱")
    assert provider.secret_label("zh").startswith("授权码")
    assert provider.secret_label("en").startswith("authorization code")
    assert len(provider.steps("en")) == len(provider.steps("zh")) == 2
    reply = find_providers("aliyun")[0].replies[0]
    assert "密码" in reply.cause("zh")
    assert "Password" in reply.fix("en")


def test_there_are_as_many_as_there_are_files():
    """None is lost, mailboxes come before relays."""
    kinds = [provider.kind for provider in load_providers()]
    assert len(kinds) == 31
    assert kinds == sorted(kinds)


def test_a_reply_explains_its_own_sample_and_not_another_stage():
    """Text and stage both have to fit."""
    reply = find_providers("aliyun")[0].replies[0]
    assert reply.explains(reply.sample)
    assert reply.explains(reply.sample, "AUTH")
    assert not reply.explains(reply.sample, "RCPT")
    assert not reply.explains("x" * 2000 + reply.sample)
    assert any(each.explains("Connection timed out") for each in load_generic_replies())


def test_limits_and_selectors():
    """Numbers only are limits; one selector or several are a list."""
    gmail = find_providers("gmail")[0]
    assert gmail.limits["messages_per_day"] == 500
    assert all(type(value) is int for value in gmail.limits.values())
    assert find_providers("aliyun")[0].limits == {}
    assert find_providers("aliyun")[0].dkim_selectors == ("default",)
    assert find_providers("fastmail")[0].dkim_selectors == ("fm1", "fm2", "fm3")
    assert find_providers("feishu")[0].dkim_selectors == ()
