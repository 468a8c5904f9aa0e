"""Cases: what the provider itself refuses: the login, the sender, the recipient."""

# ruff: noqa: D401 (what a case does is in its decorator; its docstring says what is the matter)

from lab.cases import broken

__all__ = []

_QQ_FAIL = (
    "535 Login fail. Account is abnormal, service is not open, password is incorrect, login"
    " frequency limited, or system is busy. More information at"
    " https://help.mail.qq.com/detail/108/1023"
)


@broken("login.refused", "Third-Party Client Security Password")
def wrong_password(scene):
    """The web login's password where the client's is wanted: 526."""
    scene.password = "ZyXwVuTs87654321"


@broken("login.locked", "hour")
def locked_account(scene):
    """Another job has tried a wrong password all night."""
    scene.provide(max_wrong_logins=0)


@broken("config.settings", "user no-reply@example.com")
def user_without_domain(scene):
    """The login is half an address."""
    scene.set(user="no-reply")


@broken("login.refused", "authorization code")
def qq_without_authorization_code(scene):
    """QQ wants a code of its own and got the account's password."""
    scene.sender = "someone@qq.com"
    scene.set(user="someone@qq.com", password="abcdefghijklmnop", **{"from": "someone@qq.com"})
    scene.through("smtp.qq.com")
    scene.act(
        {"": "220 newxmesmtplogicsvrszc2-0.qq.com XMail Esmtp QQ Mail Server.", "AUTH": _QQ_FAIL}
    )


@broken("login.refused", "client-specific password")
def exmail_without_client_password(scene):
    """Tencent's mail for companies got the password of the web login."""
    scene.send_as("exmail.example")
    scene.through("smtp.exmail.qq.com")
    scene.act({"": "220 smtp.qq.com Esmtp QQ Mail Server", "AUTH": _QQ_FAIL})


@broken("login.refused", "app password")
def gmail_without_app_password(scene):
    """Gmail wants an application's password."""
    scene.sender = "someone@gmail.com"
    scene.set(user="someone@gmail.com", **{"from": "someone@gmail.com"})
    scene.through("smtp.gmail.com")
    scene.act(
        {
            "": "220 smtp.gmail.com ESMTP 5b1f17b1804b1-4a2ff8sm12345678f8f.12 - gsmtp",
            "AUTH": "534-5.7.9 Application-specific password required. For more information, go to"
            "\r\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor 5b1f - gsmtp",
        }
    )


@broken("login.switched-off", "SMTP")
def office_365_without_smtp(scene):
    """The tenant has switched off logins to SMTP."""
    scene.send_as("office.example")
    scene.through("smtp.office365.com", 587, starttls=True)
    scene.act(
        {
            "": "220 PN2PR01CA0001.outlook.office365.com Microsoft ESMTP MAIL Service ready",
            "EHLO": "250-PN2PR01CA0001.outlook.office365.com Hello\r\n250-SIZE 157286400"
            "\r\n250-STARTTLS\r\n250-8BITMIME\r\n250 AUTH LOGIN XOAUTH2",
            "AUTH": "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"
            " for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
        },
        port=587,
        tls="starttls",
    )


@broken("login.switched-off", "SMTP")
def netease_without_smtp(scene):
    """The user of 163 has never switched SMTP on."""
    scene.sender = "someone@163.com"
    scene.set(user="someone@163.com", **{"from": "someone@163.com"})
    scene.through("smtp.163.com")
    scene.act(
        {
            "": "220 163.com Anti-spam GT for Coremail System (163com[20141201])",
            "AUTH": "550 User has no permission",
        }
    )


@broken("login.mechanism", "auth")
def only_tokens(scene):
    """The server takes tokens, and the account has a password."""
    _own_relay(scene)
    scene.act({"EHLO": "250-mail\r\n250-8BITMIME\r\n250 AUTH XOAUTH2 OAUTHBEARER"})


@broken("login.not-offered", "auth off")
def no_logins_here(scene):
    """The relay knows its clients by their address and has no logins."""
    _own_relay(scene)
    scene.act({"EHLO": "250-mail\r\n250 8BITMIME"})


@broken("login.needed", "auth on")
def login_is_needed(scene):
    """The account has no login, and the server wants one."""
    scene.set(auth="off", user=None, password=None)


@broken("login.hello", "domain")
def hello_is_refused(scene):
    """The server does not like what this machine is called."""
    _own_relay(scene)
    scene.act({"EHLO": "550 5.7.1 Invalid HELO name", "HELO": "550 5.7.1 Invalid HELO name"})


@broken("login.later", "again")
def logins_are_out_of_order(scene):
    """The relay cannot look the password up just now."""
    _own_relay(scene)
    scene.act({"AUTH": "454 4.7.0 Temporary authentication failure: Connection lost to server"})


@broken("login.quiet", "again")
def no_answer_to_the_login(scene):
    """The relay says nothing to the login, for ever."""
    _own_relay(scene)
    scene.set(timeout="2")
    scene.act({"AUTH": None})


@broken("extensions.smtputf8", "from")
def sender_that_is_not_ascii(scene):
    """The sender's name is not ASCII, and the relay does not know such addresses."""
    _own_relay(scene)
    scene.set(**{"from": "büro@example.net"})
    scene.provide(checks_sender=False)


@broken("login.closed")
def server_hangs_up_at_the_login(scene):
    """The server closes the connection in place of an answer to the login."""
    _own_relay(scene)
    scene.act({"AUTH": ""})


@broken("config.settings", "from no-reply@example.com")
def another_sender_than_the_login(scene):
    """From is somebody else than the login: 440, for Aliyun."""
    scene.provide()
    scene.set(**{"from": "root@example.com"})


@broken("config.settings", "from someone@163.com")
def another_sender_at_netease(scene):
    """163 takes no sender but the login: 553."""
    scene.set(user="someone@163.com", **{"from": "someone@126.com"})
    scene.through("smtp.163.com")
    scene.act(
        {
            "": "220 163.com Anti-spam GT for Coremail System (163com[20141201])",
            "MAIL": "553 Mail from must equal authorized user",
        }
    )


@broken("login.needed", "auth on")
def relay_access_denied(scene):
    """The relay takes mail for its own domains only, without a login."""
    _own_relay(scene)
    scene.set(auth="off", user=None, password=None)
    scene.arguments += ["--to", "me@test.com"]
    scene.act({"RCPT": "554 5.7.1 <me@test.com>: Relay access denied"})


@broken("sender.refused", "from no-reply@example.net")
def sender_of_somebody_else(scene):
    """The relay has a table of who may send as whom, and says so."""
    _own_relay(scene)
    scene.set(**{"from": "root@example.net"})
    scene.act(
        {
            "MAIL": "553 5.7.1 <root@example.net>: Sender address rejected: not owned by user"
            " no-reply@example.net"
        }
    )


@broken("sender.recipient")
def relay_for_its_own_only(scene):
    """A relay without logins takes mail for its own domains, and not for anybody else's."""
    _own_relay(scene)
    scene.set(auth="off", user=None, password=None)
    scene.arguments += ["--to", "me@test.com"]
    scene.act(
        {"EHLO": "250-mail\r\n250 8BITMIME", "RCPT": "554 5.7.1 <me@test.com>: Relay access denied"}
    )


@broken("sender.recipient", "--to")
def unknown_recipient(scene):
    """The recipient that was asked about does not exist."""
    scene.arguments += ["--to", "nobody@test.com"]
    scene.provide(refused=("nobody@test.com",))


@broken("sender.quota", "24 h")
def daily_limit(scene):
    """The account has sent all that it may today."""
    scene.sender = "someone@gmail.com"
    scene.set(user="someone@gmail.com", **{"from": "someone@gmail.com"})
    scene.through("smtp.gmail.com")
    scene.act(
        {
            "": "220 smtp.gmail.com ESMTP 5b1f17b1804b1-4a2ff8sm12345678f8f.12 - gsmtp",
            "MAIL": "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail"
            "\r\n550 5.4.5  sending limits go to https://support.google.com/a/answer/166852 - g",
        }
    )


def _own_relay(scene):
    scene.send_as("example.net")
    scene.through("relay.example.net")
