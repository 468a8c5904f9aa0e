"""smtplib: the mail on standard input over implicit TLS; arguments: port, trust store."""

import os
import smtplib
import ssl
import sys

USER, PASSWORD, RECIPIENT = "user@example.test", "secret", "rcpt@example.test"


def context(trust):
    """Return a context that trusts a file, a directory, or what the system does."""
    if trust == "system":
        return ssl.create_default_context()
    if os.path.isdir(trust):
        return ssl.create_default_context(capath=trust)
    return ssl.create_default_context(cafile=trust)


mail = sys.stdin.buffer.read().replace(b"\n", b"\r\n")  # sendmail() leaves bytes as they are
with smtplib.SMTP_SSL("localhost", int(sys.argv[1]), context=context(sys.argv[2])) as session:
    session.login(USER, PASSWORD)
    session.sendmail(USER, [RECIPIENT], mail, mail_options=["BODY=8BITMIME"])
