"""
The checks in their order, which is the order of blame: what others need stands before them.

To add one, write a function that yields ``Finding``s in a file of its own, and give it a row.
"""

from __future__ import annotations

from pillarbox.doctor import (
    connect,
    domain_dkim,
    domain_dmarc,
    domain_mx,
    domain_spf,
    domain_transport,
    extensions,
    local_clock,
    local_config,
    local_machine,
    local_programs,
    local_secret,
    local_service,
    login,
    names,
    quirks,
    resolver,
    sender,
    tls,
)
from pillarbox.doctor.examination import Check
from pillarbox.text import say

__all__ = ["CHECKS"]

CHECKS = (
    Check(
        "config",
        say("the configuration files"),
        local_config.check_config,
        codes=local_config.CODES,
    ),
    Check(
        "secret",
        say("the password"),
        local_secret.check_secret,
        needs=("config",),
        codes=local_secret.CODES,
    ),
    Check(
        "programs",
        say("sendmail, and who else is in the way"),
        local_programs.check_programs,
        codes=local_programs.CODES,
    ),
    Check(
        "machine",
        say("host name, certificates, disk"),
        local_machine.check_machine,
        codes=local_machine.CODES,
    ),
    Check(
        "clock",
        say("the clock"),
        local_clock.check_clock,
        codes=local_clock.CODES,
    ),
    Check(
        "service",
        say("the service, its spool and its sockets"),
        local_service.check_service,
        codes=local_service.CODES,
    ),
    Check(
        "resolver",
        say("the resolver"),
        resolver.check_resolver,
        codes=resolver.CODES,
    ),
    Check(
        "names",
        say("the host's addresses"),
        names.check_names,
        needs=("config", "resolver"),
        codes=names.CODES,
    ),
    Check(
        "connect",
        say("the way to the port"),
        connect.check_connect,
        needs=("names",),
        codes=connect.CODES,
    ),
    Check(
        "tls",
        say("TLS and the certificate"),
        tls.check_tls,
        needs=("connect", "clock"),
        codes=tls.CODES,
    ),
    Check(
        "login",
        say("the login"),
        login.check_login,
        needs=("tls", "secret"),
        codes=login.CODES,
    ),
    Check(
        "sender",
        say("whether this sender is taken"),
        sender.check_sender,
        needs=("login",),
        codes=sender.CODES,
    ),
    Check(
        "extensions",
        say("what the server offers"),
        extensions.check_extensions,
        needs=("login",),
        codes=extensions.CODES,
    ),
    Check(
        "quirks",
        say("the provider's rules"),
        quirks.check_quirks,
        needs=("config",),
        codes=quirks.CODES,
    ),
    Check(
        "mx",
        say("the domain's MX"),
        domain_mx.check_mx,
        needs=("config", "resolver"),
        codes=domain_mx.CODES,
    ),
    Check(
        "spf",
        say("the domain's SPF record"),
        domain_spf.check_spf,
        needs=("config", "resolver", "mx"),
        codes=domain_spf.CODES,
    ),
    Check(
        "dkim",
        say("the domain's DKIM key"),
        domain_dkim.check_dkim,
        needs=("config", "resolver", "mx"),
        codes=domain_dkim.CODES,
    ),
    Check(
        "dmarc",
        say("the domain's DMARC policy"),
        domain_dmarc.check_dmarc,
        needs=("config", "resolver", "mx"),
        codes=domain_dmarc.CODES,
    ),
    Check(
        "transport",
        say("MTA-STS, TLS-RPT and DANE"),
        domain_transport.check_transport,
        needs=("config", "resolver", "mx"),
        codes=domain_transport.CODES,
    ),
)
