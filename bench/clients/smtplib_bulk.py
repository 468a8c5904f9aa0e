"""smtplib: a mail many times over one connection; arguments: port, authority, mail, count."""

import smtplib
import ssl
import sys

USER, PASSWORD, RECIPIENT = "user@example.test", "secret", "rcpt@example.test"

port, authority, path, count = sys.argv[1:]
with open(path, "rb") as file:
    mail = file.read().replace(b"\n", b"\r\n")
context = ssl.create_default_context(cafile=authority)
with smtplib.SMTP_SSL("localhost", int(port), context=context) as session:
    session.login(USER, PASSWORD)
    for _ in range(int(count)):
        session.sendmail(USER, [RECIPIENT], mail, mail_options=["BODY=8BITMIME"])
