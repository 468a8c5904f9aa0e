"""pillarbox: a mail many times over one connection; arguments: msmtprc, mail, count."""

import os
import sys

from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.config.secrets import find_secret
from pillarbox.delivery.attempt import Connection, Mail
from pillarbox.delivery.route import Route
from pillarbox.mail.address import parse_address_list
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import read_message
from pillarbox.mail.status import DELIVERED

RECIPIENT = "rcpt@example.test"


def main(configuration, path, count):
    """Send the mail, and fail unless it was delivered every time."""
    wishes = Wishes({}, env=os.environ, user_file=configuration)
    chosen, _ = choose_account(load_files(wishes), wishes)
    account = finish_account(chosen, wishes, None)
    with open(path, "rb") as file:
        content = read_message(file.read).content()
    sender = parse_address_list(account.from_)[0]
    envelope = Envelope(sender, tuple(parse_address_list(RECIPIENT)))
    connection = Connection(Route(account, find_secret(account, env=os.environ)))
    if (trouble := connection.open()) is not None:
        raise SystemExit(trouble.problem)
    mails = (Mail(envelope, content) for _ in range(count))
    delivered = 0
    for ended in connection.deliver(mails):
        delivered += ended.statuses[0].action == DELIVERED
    connection.close()
    if delivered != count:
        raise SystemExit(f"{delivered} of {count} delivered")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
