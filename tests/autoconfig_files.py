"""Autoconfig files, good ones unless a test wants them otherwise."""

from __future__ import annotations

__all__ = ["document", "server"]


def server(**values: str | None) -> str:
    """Return one server's element, good unless a value is changed (None: left out)."""
    good = {
        "hostname": "smtp.example.com",
        "port": "465",
        "socketType": "SSL",
        "username": "%EMAILADDRESS%",
        "authentication": "password-cleartext",
    }
    rows = "".join(
        f"<{name}>{value}</{name}>" for name, value in (good | values).items() if value is not None
    )
    return f'<outgoingServer type="smtp">{rows}</outgoingServer>'


def document(*servers: str) -> bytes:
    """Return a whole file."""
    inner = "".join(servers)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><clientConfig version="1.1">'
        f'<emailProvider id="example.com"><domain>example.com</domain>{inner}'
        "</emailProvider></clientConfig>"
    ).encode()
