"""Cases: what is wrong with the records of the sender's domain."""

# ruff: noqa: D401 (what a case does is in its decorator; its docstring says what is the matter)

from lab.cases import broken

__all__ = []


@broken("mx.domain", "domain")
def domain_does_not_exist(scene):
    """The sender's domain is not there: it has expired, or it is misspelt."""
    scene.send_as("gone-domain.example")


@broken("mx.none", "MX", "console", is_warning=True)
def no_mx(scene):
    """Nobody can answer, and no bounce comes back."""
    scene.send_as("no-mx.example")


@broken("mx.null", "MX", "console", is_warning=True)
def null_mx(scene):
    """The domain says that it takes no mail at all (RFC 7505)."""
    scene.send_as("null-mx.example")


@broken("mx.elsewhere", "MX", "console", is_warning=True)
def mx_elsewhere(scene):
    """The MX is that of another provider."""
    scene.send_as("mx-elsewhere.example")


@broken("mx.mixed", "mx.elsewhere.example", is_warning=True)
def mx_mixed(scene):
    """Two providers share the MX, and mail lands now here, now there."""
    scene.send_as("mx-mixed.example")


@broken("mx.cname", "mx1.qiye.aliyun.com", is_warning=True)
def mx_is_an_alias(scene):
    """The MX is a CNAME of one's own, which no MX may be (RFC 2181 10.3)."""
    scene.send_as("mx-cname.example")


@broken("mx.dead", "MX", is_warning=True)
def mx_is_misspelt(scene):
    """The MX names a host that is not there."""
    scene.send_as("mx-gone.example")


@broken("spf.none", "v=spf1 include:spf.qiye.aliyun.com -all", is_warning=True)
def no_spf(scene):
    """There is no SPF record."""
    scene.send_as("no-spf.example")


@broken(
    "spf.several", "v=spf1 include:spf.qiye.aliyun.com a:mail.two-spf.example -all", is_warning=True
)
def two_spf_records(scene):
    """The tutorial's trap: the second record was published beside the first."""
    scene.send_as("two-spf.example")


@broken("spf.syntax", "'include'", is_warning=True)
def misspelt_spf(scene):
    """A word of the record is misspelt."""
    scene.send_as("misspelt-spf.example")


@broken("spf.provider-missing", "include:spf.qiye.aliyun.com", is_warning=True)
def spf_without_the_provider(scene):
    """The record names the own server, but not the provider that the mail leaves from."""
    scene.send_as("without-provider.example")


@broken("spf.plus-all", "-all", is_warning=True)
def spf_allows_everybody(scene):
    """The record ends in +all."""
    scene.send_as("plus-all.example")


@broken("spf.neutral", "-all", is_warning=True)
def spf_says_nothing(scene):
    """The record ends in ?all."""
    scene.send_as("neutral.example")


@broken("spf.lookups", "pillarbox spf explain lookups.example", is_warning=True)
def eleven_lookups(scene):
    """The record needs more than ten lookups, and counts as an error."""
    scene.send_as("lookups.example")


@broken("spf.void", "gone1.void.example", is_warning=True)
def void_lookups(scene):
    """The record names hosts that are gone, more than two of them."""
    scene.send_as("void.example")


@broken("spf.include", "spf.old-provider.example", is_warning=True)
def dangling_include(scene):
    """The record includes one of a provider that is gone, which is an error for good."""
    scene.send_as("dangling.example")


@broken("spf.unread", "-all", is_warning=True)
def provider_behind_all(scene):
    """The provider was put behind -all, where nobody reads on."""
    scene.send_as("behind-all.example")


@broken("spf.colon", "include:", is_warning=True)
def equals_for_colon(scene):
    """The record says include= in place of include:, which counts as something unknown."""
    scene.send_as("colon.example")


@broken("dkim.dangling", "DKIM", is_warning=True)
def dangling_dkim(scene):
    """The selector is a CNAME, and nothing is where it leads."""
    scene.send_as("dangling-dkim.example")


@broken("dkim.missing", "DKIM", is_warning=True)
def no_dkim(scene):
    """There is no key at the provider's selector."""
    scene.send_as("no-dkim.example")


@broken("dkim.revoked", "DKIM", is_warning=True)
def revoked_dkim(scene):
    """The key is empty, which takes it back (RFC 6376 3.6.1)."""
    scene.send_as("revoked-dkim.example")


@broken("dkim.weak", "2048", is_warning=True)
def short_dkim(scene):
    """The key has 512 bits, and no receiver takes it (RFC 8301)."""
    scene.send_as("short-dkim.example")


@broken("dkim.broken", "default._domainkey.broken-dkim.example", is_warning=True)
def broken_dkim(scene):
    """The key was not copied whole."""
    scene.send_as("broken-dkim.example")


@broken("dkim.test", "t=y", is_warning=True)
def dkim_in_test(scene):
    """The key says that it is only being tested."""
    scene.send_as("testing-dkim.example")


@broken("dkim.several", "remove the others", is_warning=True)
def two_dkim_keys(scene):
    """The new key was published beside the old one, under the same selector."""
    scene.send_as("two-dkim.example")


@broken("spf.syntax", "at the mark", is_warning=True)
def blank_in_spf(scene):
    """A blank came into the record behind include: when it was typed."""
    scene.send_as("spaced.example")


@broken("dmarc.none", "v=DMARC1", "_dmarc.no-dmarc.example", is_warning=True)
def no_dmarc(scene):
    """There is no DMARC record, which Gmail and others want."""
    scene.send_as("no-dmarc.example")


@broken("dmarc.several", "_dmarc.two-dmarc.example", is_warning=True)
def two_dmarc_records(scene):
    """There are two DMARC records, which counts as none."""
    scene.send_as("two-dmarc.example")


@broken("dmarc.syntax", "v=DMARC1; p=", is_warning=True)
def misspelt_dmarc(scene):
    """The record has no policy, as its tag is misspelt."""
    scene.send_as("misspelt-dmarc.example")


@broken("dmarc.syntax", "quarantine", is_warning=True)
def misspelt_policy(scene):
    """The word of the policy is misspelt."""
    scene.send_as("dmarc-tag.example")


@broken("dmarc.unaligned", "include:spf.qiye.aliyun.com")
def rejected_by_ones_own_policy(scene):
    """The policy is to reject, and neither SPF nor DKIM says that the mail is ours."""
    scene.send_as("unaligned.example")


@broken("mx.failed", is_warning=True)
def nameservers_of_the_domain_fail(scene):
    """The nameservers of the domain answer that they cannot: receivers cannot ask either."""
    scene.send_as("servfail.example")


@broken("mx.private", "from", is_warning=True)
def sender_of_no_domain(scene):
    """The sender is root at the machine's own name."""
    scene.send_as("example.net")
    scene.through("relay.example.net")
    scene.set(**{"from": "root@localhost"})
    scene.provide(checks_sender=False)
