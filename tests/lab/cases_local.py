"""Cases: what is wrong on the machine itself: files, passwords, programs, disk, service."""

# ruff: noqa: D401 (what a case does is in its decorator; its docstring says what is the matter)

from lab.cases import broken
from lab.machine import ALICE, SERVICE

__all__ = []


# -- configuration ---------------------------------------------------------------------------------


@broken("config.missing", "pillarbox setup")
def new_machine(scene):
    """Nothing has been configured."""
    scene.file = ""
    scene.leave_alone()


@broken("config.syntax", "host")
def misspelt_keyword(scene):
    """A keyword is misspelt."""
    scene.set(host=None, hots="smtp.qiye.aliyun.com")


@broken("config.syntax", "65535")
def port_out_of_range(scene):
    """The port is none."""
    scene.set(port="46500000")


@broken("config.syntax", "on", "off")
def neither_on_nor_off(scene):
    """A switch has a word that is no switch."""
    scene.set(tls_starttls="no thanks")


@broken("config.denied", "sudo pillarbox install")
def only_root_can_read(scene):
    """The tutorial's trap: with mode 600 nobody but root can send."""
    scene.machine.become(ALICE)


@broken("config.permissions", "/etc/msmtprc", is_warning=True)
def everybody_can_read(scene):
    """The tutorial's other trap: with mode 644 every user reads the password."""
    scene.mode = 0o644


@broken("config.permissions", "chmod 600 /home/alice/.msmtprc")
def others_can_read_a_users_file(scene):
    """A user's file with a password that others can read: msmtp refuses it, too."""
    scene.file, scene.mode = "/home/alice/.msmtprc", 0o644
    scene.owner = scene.group = ALICE
    scene.machine.become(ALICE)


@broken("config.account", "default")
def no_such_account(scene):
    """An account is asked for that is not there."""
    scene.arguments += ["--account", "work"]


@broken("config.sender", "from ADDRESS")
def no_sender(scene):
    """The account has neither a from nor a login that could be one, and cron's mail has none."""
    scene.through("relay.example.net")
    scene.set(auth="off", user=None, password=None, **{"from": None})


@broken("config.settings", "from no-reply@example.com")
def sender_is_a_name(scene):
    """The sender is a name in place of an address."""
    scene.set(**{"from": "no-reply"})


# -- the secret ------------------------------------------------------------------------------------


@broken("secret.placeholder", "password")
def password_of_the_tutorial(scene):
    """The tutorial's word was copied in place of a password."""
    scene.set(password="the-client-password")


@broken("secret.placeholder", "password")
def password_is_a_row_of_x(scene):
    """The password is still what the example had."""
    scene.set(password="xxxxxxxxxxxxxxxx")


@broken("secret.none", "password")
def no_password(scene):
    """There is a login, and no password for it anywhere."""
    scene.set(password=None)


@broken("secret.command", "by hand")
def password_command_is_missing(scene):
    """The command that prints the password is not installed."""
    scene.set(password=None, passwordeval="gpg-is-not-here --decrypt /root/password.gpg")


@broken("secret.command", "by hand")
def password_command_fails(scene):
    """The file that the command prints is not there."""
    scene.set(password=None, passwordeval="cat /etc/mail-password")


@broken("secret.command", "by hand")
def password_command_prints_nothing(scene):
    """The command ends well and prints nothing."""
    scene.set(password=None, passwordeval="true")


@broken("secret.invisible", "password")
def password_with_an_invisible_character(scene):
    """A zero width space came along when the password was copied from the web page."""
    scene.set(password=scene.password + "\u200b")


@broken("secret.readable", "chmod", "/etc/mail-password", is_warning=True)
def everybody_can_read_the_password_file(scene):
    """The file with the password can be read by every user."""
    scene.machine.write("/etc/mail-password", scene.password + "\n", 0o644)
    scene.set(password=None, passwordeval="cat /etc/mail-password")


@broken("secret.closed", "/etc/mail-password")
def service_may_not_read_the_password(scene):
    """Root can read the file that the command prints, and the service's user cannot."""
    scene.machine.write("/etc/mail-password", scene.password + "\n", 0o600)
    scene.set(password=None, passwordeval="cat /etc/mail-password")
    scene.serve()


# -- programs --------------------------------------------------------------------------------------


@broken("programs.sendmail", "sudo pillarbox install", is_warning=True)
def sendmail_was_taken_back(scene):
    """A package that was installed later has put its sendmail over ours."""
    scene.install()
    scene.machine.write("/usr/sbin/sendmail", "#!/bin/sh\nexit 69\n", 0o755)
    scene.machine.write("/var/lib/dpkg/info/nullmailer.list", "/usr/sbin\n/usr/sbin/sendmail\n")


@broken("programs.sendmail", "sudo pillarbox install", is_warning=True)
def exim_owns_sendmail(scene):
    """Somebody has linked sendmail to Exim by hand."""
    scene.install()
    scene.machine.write("/usr/sbin/exim4", "#!/bin/sh\nexit 69\n", 0o755)
    scene.machine.remove("/usr/sbin/sendmail")
    scene.machine.path("/usr/sbin/sendmail").symlink_to("exim4")


@broken("programs.none", "sudo pillarbox install", is_warning=True)
def sendmail_is_gone(scene):
    """A package that was removed has taken our sendmail with it."""
    scene.install()
    scene.machine.remove("/usr/sbin/sendmail")


@broken("programs.apparmor", "/etc/apparmor.d/disable")
def apparmor_profile_of_msmtp(scene):
    """The tutorial's question, answered Yes: msmtp's profile confines our msmtp."""
    scene.install()
    scene.machine.write(
        "/sys/kernel/security/apparmor/profiles", "msmtp (enforce)\nman_groff (enforce)\n"
    )
    scene.machine.write(
        "/etc/apparmor.d/usr.bin.msmtp",
        "profile msmtp /usr/bin/msmtp flags=(attach_disconnected) {\n}\n",
    )


# -- the machine -----------------------------------------------------------------------------------


@broken("machine.store", "apt install", "ca-certificates")
def no_authorities(scene):
    """A minimal container: nobody has installed ca-certificates."""
    scene.machine.remove("/etc/ssl/certs/ca-certificates.crt")


@broken("machine.store", "ca-certificates")
def empty_authorities(scene):
    """The file of authorities was emptied when the disk was full."""
    scene.machine.write("/etc/ssl/certs/ca-certificates.crt", "")


@broken("machine.full", "/var/spool/pillarbox")
def full_disk(scene):
    """The file system of the queue is full."""
    scene.serve()
    scene.machine.mount(
        'mount -t tmpfs -o size=64k,mode=0700,uid=990 none "$TOP/var/spool/pillarbox"'
    )
    scene.machine.mount(
        'dd if=/dev/zero of="$TOP/var/spool/pillarbox/filler" bs=4k 2>/dev/null || true'
    )


@broken("machine.home", "/home/alice")
def read_only_home(scene):
    """The user's queue is in a home that cannot be written."""
    scene.file = "/home/alice/.msmtprc"
    scene.owner = scene.group = ALICE
    scene.set(queue="on")
    scene.machine.become(ALICE)
    scene.machine.mount('mount --bind "$TOP/home" "$TOP/home"')
    scene.machine.mount('mount -o remount,bind,ro "$TOP/home"')


# -- the service -----------------------------------------------------------------------------------


@broken("service.down", "systemctl")
def service_is_down(scene):
    """The service is to start at boot, and did not."""
    scene.install()
    scene.enable()


@broken("service.dead", "systemctl")
def socket_of_a_dead_service(scene):
    """The socket is there, and nobody behind it."""
    daemon = scene.serve()
    daemon.kill()
    daemon.wait()


@broken("service.paused", "pillarbox queue resume default", is_warning=True)
def paused_account(scene):
    """Somebody has paused the account, and forgotten it."""
    scene.serve()
    scene.machine.pillarbox("queue", "pause", "default")


@broken("service.deliver", "systemctl restart pillarbox.service")
def nobody_delivers(scene):
    """Mail is taken, and the half of the service that brings it away is not there."""
    scene.serve("--roles", "submit")


@broken("service.corrupt", "pillarbox queue list", is_warning=True)
def damaged_mail(scene):
    """A file of the queue was damaged when the disk was."""
    scene.act({"RCPT TO:<full@test.com>": "452 4.2.2 <full@test.com>: mailbox is full"})
    first = scene.serve()
    sent = scene.machine.run("sendmail", "full@test.com", stdin=b"Subject: x\n\nx\n")
    assert sent.exit_code == 0, sent
    first.terminate()
    first.wait(20)
    (mail,) = scene.machine.path("/var/spool/pillarbox/queue").iterdir()
    mail.write_bytes(bytes(mail.stat().st_size))
    scene.serve()


@broken("service.accounts", "chgrp pillarbox /etc/msmtprc")
def service_may_not_read_the_account(scene):
    """The service runs, and the account's file is root's alone."""
    scene.serve()
    scene.mode, scene.group = 0o600, 0


@broken("service.settings", "max_message")
def misspelt_settings(scene):
    """The service's settings have a mistake since they were edited, and it did not start again."""
    scene.serve()
    scene.machine.write("/etc/pillarbox/pillarbox.toml", '[limits]\nmax_mesage = "25M"\n')


@broken("service.filesystem", "pillarbox.toml", is_warning=True)
def spool_in_memory(scene):
    """The queue is on a tmpfs, and gone after a restart."""
    memory = scene.make_memory()
    scene.machine.make_folder("/var/spool/pillarbox", 0o700, SERVICE)
    scene.machine.mount(f'mount --bind {memory} "$TOP/var/spool/pillarbox"')
    scene.serve()


@broken("service.readonly", "remount,rw")
def spool_that_cannot_be_written(scene):
    """The disk had an error, and the kernel made it read-only."""
    scene.serve()
    scene.machine.mount('mount --bind -o ro "$TOP/var/spool" "$TOP/var/spool"')


@broken("service.spool", "chown")
def spool_of_somebody_else(scene):
    """The queue was restored from a backup, and belongs to root."""
    scene.serve()
    scene.machine.run("chown", "-R", "root:root", "/var/spool/pillarbox")


@broken("service.stuck", "pillarbox queue", is_warning=True)
def mail_that_waits_for_days(scene):
    """A mail is in the queue since yesterday, as its recipient's mailbox is full."""
    scene.act({"RCPT TO:<full@test.com>": "452 4.2.2 <full@test.com>: mailbox is full"})
    yesterday = scene.serve(environment=scene.shift_clock("-26h"))
    mail = b"Subject: backup failed\n\nSee the log.\n"
    sent = scene.machine.run("sendmail", "full@test.com", stdin=mail)
    assert sent.exit_code == 0, sent
    yesterday.terminate()
    yesterday.wait(20)
    scene.serve()
