"""GnuTLS priority strings: carried out to the letter, or refused with the reason."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import ConfigError
from pillarbox.net.priorities import _ALL, _ALWAYS, _KEYWORDS, _MEMBERS, _NEVER, parse_priorities
from pillarbox.net.tls import TlsPolicy, make_context

BOTH, ONLY_12, ONLY_13 = (
    ("TLSv1_2", "TLSv1_3"),
    ("TLSv1_2", "TLSv1_2"),
    ("TLSv1_3", "TLSv1_3"),
)

ACCEPTED = [
    # the string, versions, a suite that is in, a suite that is not
    ("NORMAL", BOTH, "AES128-SHA", "ECDHE-RSA-DES-CBC3-SHA"),
    ("normal", BOTH, "AES128-SHA", ""),
    (" NORMAL ", BOTH, "AES128-SHA", ""),
    ("NORMAL:%COMPAT", BOTH, "AES128-SHA", ""),
    ("NORMAL:%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION", BOTH, "AES128-SHA", ""),
    ("PFS", BOTH, "ECDHE-RSA-AES128-SHA", "AES128-SHA"),
    ("SECURE", BOTH, "AES128-GCM-SHA256", ""),
    ("SECURE128", BOTH, "AES128-GCM-SHA256", ""),
    ("SECURE192", ONLY_12, "AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("SECURE256", ONLY_12, "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA"),
    ("PERFORMANCE", BOTH, "ECDHE-RSA-AES128-GCM-SHA256", ""),
    ("SECURE128:+SECURE192:-VERS-ALL:+VERS-TLS1.2", ONLY_12, "AES128-GCM-SHA256", ""),
    ("NORMAL:-VERS-ALL:+VERS-TLS1.3", ONLY_13, "", ""),
    ("PFS:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", BOTH, "", "AES128-SHA"),
    ("NORMAL:-VERS-TLS-ALL:+VERS-TLS1.2", ONLY_12, "AES128-SHA", ""),
    ("NORMAL:-VERS-TLS1.2", ONLY_13, "", ""),
    ("NORMAL:-VERS-TLS1.3", ONLY_12, "AES128-SHA", ""),
    ("NORMAL:!VERS-TLS1.3", ONLY_12, "AES128-SHA", ""),
    ("NORMAL:+VERS-ALL", BOTH, "AES128-SHA", ""),
    ("NORMAL:-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1", BOTH, "AES128-SHA", ""),
    ("NORMAL:-ARCFOUR-128:-MD5:-3DES-CBC:!ANON-DH", BOTH, "AES128-SHA", ""),
    ("NORMAL:-RSA", BOTH, "DHE-RSA-AES128-SHA", "AES128-SHA"),
    ("NORMAL:-DHE-RSA:-ECDHE-RSA", BOTH, "AES128-SHA", "DHE-RSA-AES128-SHA"),
    ("NORMAL:-KX-ALL:+ECDHE-ECDSA", BOTH, "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"),
    ("NORMAL:-KX-ALL", ONLY_13, "", ""),
    ("NORMAL:-SHA1", BOTH, "ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA"),
    ("NORMAL:-MAC-ALL:+AEAD", BOTH, "AES128-GCM-SHA256", "AES128-SHA"),
    ("NORMAL:-AEAD", ONLY_12, "ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256"),
    ("NORMAL:-AES-128-CBC:!AES-256-CBC", BOTH, "AES128-GCM-SHA256", "AES256-SHA"),
    ("NORMAL:-AES-128-GCM", ONLY_12, "AES256-GCM-SHA384", "AES128-GCM-SHA256"),
    ("NORMAL:-CIPHER-ALL:+CIPHER-ALL", BOTH, "AES128-SHA", ""),
    ("NORMAL:+COMP-NULL:+CTYPE-X.509:+SIGN-ALL:+GROUP-ALL", BOTH, "AES128-SHA", ""),
    ("NONE:+VERS-TLS1.2:+AES-256-GCM:+ECDHE-RSA:+AEAD:+SIGN-ALL:+COMP-NULL:+GROUP-ALL",
     ONLY_12, "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("NONE:+VERS-TLS1.2:+SHA384:+AES-256-CBC:+KX-ALL",
     ONLY_12, "ECDHE-RSA-AES256-SHA384", "AES256-SHA"),
    ("NONE:+VERS-TLS1.3:+CIPHER-ALL:+AEAD:+GROUP-ALL:+SIGN-ALL", ONLY_13, "", ""),
    ("NORMAL:%PROFILE_MEDIUM", BOTH, "AES128-SHA", ""),
    ("PFS:%PROFILE_HIGH", BOTH, "ECDHE-RSA-AES128-SHA", ""),
]  # fmt: skip

REFUSED = [
    # the string, the part that is named, why
    ("", "an empty part", "begins with a keyword"),
    ("LEGACY", "LEGACY", "can be broken"),
    ("SYSTEM", "SYSTEM", "system-wide"),
    ("@SYSTEM", "@SYSTEM", "system-wide"),
    ("SUITEB128", "SUITEB128", "curves"),
    ("NONE", "VERS-ALL", "no version of TLS is left"),
    ("NORMAL:", "an empty part", "unknown"),
    ("NORMAL::-RSA", "an empty part", "unknown"),
    ("NORMAL:FOO", "FOO", "unknown"),
    ("NORMAL:+FOO", "+FOO", "unknown"),
    ("NORMAL:-FOO", "-FOO", "unknown"),
    ("NORMAL:-SECURE128", "-SECURE128", "unknown"),
    ("NORMAL,-RSA", "NORMAL,-RSA", "begins with a keyword"),
    ("+VERS-TLS1.2", "+VERS-TLS1.2", "begins with a keyword"),
    ("NORMAL:+VERS-TLS1.1", "+VERS-TLS1.1", "only TLS 1.2"),
    ("NORMAL:+VERS-TLS1.0", "+VERS-TLS1.0", "only TLS 1.2"),
    ("NORMAL:+VERS-SSL3.0:-VERS-SSL3.0", "+VERS-SSL3.0", "only TLS 1.2"),
    ("NORMAL:-VERS-ALL", "VERS-ALL", "no version of TLS is left"),
    ("NORMAL:-VERS-TLS1.3:-CIPHER-ALL", "KX, CIPHER and MAC", "no suite"),
    ("NORMAL:-VERS-TLS1.2:-AES-128-GCM", "VERS-TLS1.3", "cannot be chosen"),
    ("SECURE256:-VERS-ALL:+VERS-TLS1.3", "VERS-TLS1.3", "cannot be chosen"),
    ("NORMAL:+ARCFOUR-128", "+ARCFOUR-128", "not safe"),
    ("NORMAL:+3DES-CBC", "+3DES-CBC", "not safe"),
    ("NORMAL:+NULL", "+NULL", "not safe"),
    ("NORMAL:+MD5", "+MD5", "not safe"),
    ("NORMAL:+ANON-ECDH", "+ANON-ECDH", "not safe"),
    ("NORMAL:+PSK", "+PSK", "not safe"),
    ("NORMAL:+SIGN-RSA-SHA256", "+SIGN-RSA-SHA256", "cannot be told"),
    ("NORMAL:-SIGN-ALL", "-SIGN-ALL", "cannot be told"),
    ("NORMAL:-GROUP-X25519", "-GROUP-X25519", "cannot be told"),
    ("NORMAL:-CTYPE-ALL", "-CTYPE-ALL", "cannot be told"),
    ("NORMAL:%VERIFY_ALLOW_BROKEN", "%VERIFY_ALLOW_BROKEN", "less safe"),
    ("NORMAL:%VERIFY_ALLOW_SIGN_RSA_MD5", "%VERIFY_ALLOW_SIGN_RSA_MD5", "less safe"),
    ("NORMAL:%UNSAFE_RENEGOTIATION", "%UNSAFE_RENEGOTIATION", "less safe"),
    ("NORMAL:%PROFILE_LOW", "%PROFILE_LOW", "less safe"),
    ("NORMAL:%DISABLE_WILDCARDS", "%DISABLE_WILDCARDS", "cannot be told"),
    ("NORMAL:%FOO", "%FOO", "cannot be told"),
    ("HIGH:!aNULL", "HIGH", "OpenSSL's cipher strings"),
    ("ECDHE+AESGCM", "ECDHE+AESGCM", "OpenSSL's cipher strings"),
    ("\x1b[2J", "\\x1b[2J", "begins with a keyword"),
]


@pytest.mark.parametrize(("text", "versions", "present", "absent"), ACCEPTED)
def test_carries_a_priority_string_out(text, versions, present, absent):
    """OpenSSL ends up with the versions and suites that the string means."""
    priorities = parse_priorities(text)
    assert (priorities.minimum_version, priorities.maximum_version) == versions
    context = make_context(TlsPolicy(check_certificate=False, priorities=text))
    assert context.minimum_version == ssl.TLSVersion[versions[0]]
    suites = {cipher["name"] for cipher in context.get_ciphers()}
    assert not present or present in suites
    assert not absent or absent not in suites


@pytest.mark.parametrize(("text", "part", "why"), REFUSED)
def test_refuses_what_cannot_be_carried_out(text, part, why):
    """The user reads which part cannot be, and why."""
    with pytest.raises(ConfigError) as caught:
        parse_priorities(text)
    assert str(caught.value).startswith(f"tls_priorities: {part}: ")
    assert why in str(caught.value)
    assert caught.value.advice


def test_the_example_in_the_advice_is_accepted():
    """What the error tells the user to write can be written."""
    with pytest.raises(ConfigError) as caught:
        parse_priorities("LEGACY")
    example = caught.value.advice.rpartition(" ")[2]
    assert parse_priorities(example).minimum_version == "TLSv1_3"


def test_normal_is_never_less_than_the_default():
    """What the advice offers as a way out offers the server every suite and more."""
    default = make_context(TlsPolicy(check_certificate=False)).get_ciphers()
    normal = make_context(TlsPolicy(check_certificate=False, priorities="NORMAL")).get_ciphers()
    names = {cipher["name"] for cipher in normal}
    assert {cipher["name"] for cipher in default} < names


def test_the_order_of_ciphers_is_the_users():
    """What was added first is preferred."""
    start = "NONE:+VERS-TLS1.2:+ECDHE-RSA:+AEAD"
    one = parse_priorities(f"{start}:+AES-128-GCM:+AES-256-GCM").ciphers
    two = parse_priorities(f"{start}:+AES-256-GCM:+AES-128-GCM").ciphers
    assert one.split(":") == two.split(":")[::-1]


PARTS = st.sampled_from(
    [sign + name for name in sorted({*_ALL, *_MEMBERS, *_NEVER, *_ALWAYS}) for sign in "+-!"]
    + sorted(_KEYWORDS)
    + ["%COMPAT", "%PROFILE_ULTRA", "%VERIFY_ALLOW_BROKEN"]
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(_KEYWORDS)), st.lists(PARTS, max_size=6))
def test_no_string_weakens_the_connection(keyword, parts):
    """Whatever is written is refused, or leaves only suites of TLS 1.2 and 1.3 that are safe."""
    text = ":".join([keyword, *parts])
    try:
        context = make_context(TlsPolicy(check_certificate=False, priorities=text))
    except ConfigError:
        return
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.security_level >= 2
    for cipher in context.get_ciphers():
        assert cipher["strength_bits"] >= 128
        assert cipher["auth"] != "auth-null"
