"""
A program that hands mails over to a queue, one after the other, and says what it was answered.

``python flow.py SOCKET SENDMAIL RECIPIENT NAME``: for each line ``COUNT`` on standard input so many
mails; for each mail a line ``ID CODE`` on standard output, the code 0 where the queue has accepted
it. One mail in five goes through ``sendmail`` and has its exit code; the others are LMTP as any
client speaks it, and have the class of the reply. The ID is the local part of the Message-ID.
"""

import os
import socket
import subprocess
import sys

_BY_PROGRAM = 5  # one in so many
_SENDER = "alice@example.test"
_PATIENCE_S = 30


def main():
    """Hand over as many as is asked for, until nothing more is."""
    path, sendmail, recipient, name = sys.argv[1:]
    number = 0
    for line in sys.stdin:
        for _ in range(int(line)):
            mail_id = f"{name}-{number}"
            mail = _mail(mail_id, recipient)
            by_program = number % _BY_PROGRAM == 0
            code = _by_program(sendmail, mail, recipient) if by_program else 0
            if not by_program:
                code = _by_socket(path, mail, recipient)
            print(mail_id, code, flush=True)
            number += 1


def _mail(mail_id, recipient):
    head = (
        f"From: {_SENDER}\r\nTo: {recipient}\r\nSubject: mail {mail_id} of a flow\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{mail_id}@example.test>\r\n\r\n"
    )
    # Of several sizes, the largest a few blocks of a disk.
    return head.encode() + b"The text of the mail.\r\n" * (1 + len(mail_id) * 37 % 400)


def _by_program(sendmail, mail, recipient):
    done = subprocess.run(
        [sys.executable, "-S", sendmail, "-i", "-f", _SENDER, recipient],
        input=mail,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
        check=False,
        timeout=_PATIENCE_S,
    )
    return done.returncode


def _by_socket(path, mail, recipient):
    """Return 0, or the reply code that refused the mail; 1 when there was no reply."""
    steps = (
        b"",
        b"LHLO flow\r\n",
        f"MAIL FROM:<{_SENDER}> SIZE={len(mail)}\r\n".encode(),
        f"RCPT TO:<{recipient}>\r\n".encode(),
        b"BDAT %d LAST\r\n" % len(mail) + mail,
    )
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PATIENCE_S)
            sock.connect(path)
            with sock.makefile("rb") as replies:
                for step in steps:
                    sock.sendall(step)
                    code = _code(replies)
                    if code >= 400:
                        return code
                return 0
    except (OSError, ValueError):
        return 1


def _code(replies):
    while (line := replies.readline())[3:4] == b"-":
        pass
    return int(line[:3])


if __name__ == "__main__":
    main()
