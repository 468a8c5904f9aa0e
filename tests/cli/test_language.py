"""What is said in the person's language, and what stays English for the programs that read it."""

import re
import socket
import ssl
import subprocess
import sys

import pytest
import trustme

from peer import FROM, PASSWORD, USER, Peer, Puppet, send_to_puppet
from programs import BIN, ENVIRONMENT, call_program

CHINESE = {"LC_ALL": "zh_CN.UTF-8"}
ENGLISH = {"LC_ALL": "C"}
MAIL = b"Subject: t\n\nx\n"

# Han characters, and the punctuation that is as wide as they are: what the operating system says
# of a file stays English.
_HAN = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")

LOGIN = ["--auth=plain", f"--user={USER}", "--passwordeval=echo wrong"]
QIYE = {"": "220 smtp.aliyun-inc.com MX AliMail Server"}


def chinese_lines(result):
    """Return what was said; every line of it is Chinese, and begins with the program's name."""
    assert all(line.startswith(("msmtp: ", "sendmail: ", "pillarbox: "))
               for line in result.err.splitlines())  # fmt: skip
    assert result.lines
    for line in result.lines:
        assert _HAN.search(line), f"not Chinese: {line}"
        assert not re.search(r"\{|\}|\?:", line), f"a template: {line}"
    return result.lines


# -- before a session -------------------------------------------------------------------------

CALLS = [
    (["-f", "me@example.org"], ["没有收件人",
     "建议：请在命令行上指定收件人，或使用 -t 并在邮件中添加 To、Cc 或 Bcc 头"]),
    (["--nosuch", "a@x.org"], ["无法识别的选项 '--nosuch'"]),
    (["-W", "a@x.org"], ["无效选项 -- 'W'"]),
    (["--tls-c", "a@x.org"], ["选项 '--tls-c' 有歧义；可能是："]),
    (["--version=1"], ["选项 '--version' 不允许带参数"]),
    (["--host"], ["选项 '--host' 需要参数"]),
    (["-f"], ["选项需要参数 -- 'f'"]),
    (["-bx", "a@x.org"], ["不支持的运行模式 bx"]),
    (["--password=x", "a@x.org"], ["没有 --password 选项：本机的所有用户都能看到命令行中的密码",
     "建议：请使用 --passwordeval，或在权限为 600 的文件中使用 password"]),
    (["--host=x", "-a", "y", "a@x.org"], ["不能同时使用 --host 和 --account"]),
    (["-f", "a@x.org", "--read-envelope-from"], ["不能同时使用 --from 和 --read-envelope-from"]),
    (["--read-envelope-from", "a@x.org"], ["邮件中没有带地址的 From 头",
     "建议：请用 -f 指定发件人，或添加 From 头"]),
    (["--port=0", "a@x.org"], ["--port 的参数 '0' 无效：请填写 1 到 65535 之间的整数"]),
    (["--timeout=x", "a@x.org"],
     ["--timeout 的参数 'x' 无效：请填写 1 到 2147483647 之间的整数（单位为秒），或 off"]),
    (["--serverinfo", "--rmqs=x"], ["不能同时使用 --serverinfo 和 --rmqs"]),
    (["--serverinfo", "a@x.org"], ["参数过多：使用 --serverinfo 或 --rmqs 时不发送邮件"]),
    (["-C", "/nonexistent/rc", "a@x.org"], ["/nonexistent/rc：No such file or directory"]),
    (["-a", "nosuch", "a@x.org"], ["找不到账户 nosuch"]),
    (["a@x.org"], ["找不到账户 default：没有可用的配置文件"]),
    (["--host=x", *FROM, "a@b@c@x..org"], ["地址 a@b@c@x..org 无效："]),
    (["--host=x", *FROM, "a@x.org b@x.org"],
     ["地址 a@x.org b@x.org 无效：两个地址之间缺少逗号"]),
    (["--host=x", *FROM, "@x.org"], ["地址 @x.org 无效：@ 之前没有内容"]),
    (["--host=x", *FROM, "ä ö@x.org,a,b(c"], ["地址 ä ö@x.org,a,b(c 无效：注释没有闭合"]),
    (["--host=x", "-f", "a@x.org,b@x.org", "c@x.org"],
     ["信封发件人必须是单个地址，不能是 'a@x.org,b@x.org'"]),
    (["--host=x", *FROM, "--aliases=/nonexistent", "root"],
     ["/nonexistent：无法读取 /nonexistent：No such file or directory"]),
    (["--host=no..such", *FROM, "a@x.org"], ["无法解析主机 no..such："]),
    (["--host=127.0.0.1", "--port=1", *FROM, "a@x.org"], ["无法连接到 127.0.0.1（端口 1）："]),
    (["--host=127.0.0.1", "--protocol=lmtp", *FROM, "a@x.org"], ["未设置 port"]),
    (["--host=x", *FROM, "--auth=plain", f"--user={USER}", "a@x.org"],
     [f"找不到 x 上的用户 {USER} 的密码："]),
    (["--configure=nobody"], ["nobody"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "lines"), CALLS, ids=str)
def test_what_fails_before_a_session_is_said_in_chinese(arguments, lines):
    """The exit code is the one of every language, and so is what is not a message."""
    result = call_program("msmtp", arguments, MAIL, CHINESE)
    for said, expected in zip(chinese_lines(result), lines, strict=False):
        assert said.startswith(expected)
    english = call_program("msmtp", arguments, MAIL, ENGLISH)
    assert (english.exit_code, english.out) == (result.exit_code, result.out)
    assert english.err.isascii() or "ä" in english.err
    assert not _HAN.search(english.err)


FILES = [
    ("hots x", 0o600, ["{path}：第 1 行：未知指令 hots"]),
    ("account a\nport x\n", 0o600, ["{path}：第 2 行：指令 port 的参数 x 无效"]),
    ("account a : b\n", 0o600, ["{path}：第 1 行：账户 b 尚未定义"]),
    ("account default\nhost x\n", 0o600, ["账户 default（来自 {path}）：缺少信封发件人地址"]),
    ("", None, ["{path}：No such file or directory"]),  # None: there is no file
]


@pytest.mark.parametrize(("text", "mode", "lines"), FILES)
def test_faults_of_a_configuration_are_said_in_chinese(tmp_path, text, mode, lines):
    """The place stands in front, as in every language."""
    path = tmp_path / "rc"
    if mode is not None:
        path.write_text(text)
        path.chmod(mode)
    result = call_program("msmtp", ["-C", str(path), "a@x.org"], MAIL, CHINESE)
    for said, expected in zip(chinese_lines(result), lines, strict=False):
        assert said.startswith(expected.format(path=path))


ALIASES = [
    ("root a@x.org\n", "别名的格式应为“名称: 地址, ...”"),
    ("root: |/bin/sh\n", "不支持把程序作为别名的目标：|/bin/sh"),
    ("root: /dev/null\n", "不支持把文件作为别名的目标：/dev/null"),
    ("root: :fail:\n", "不支持把指令作为别名的目标：:fail:"),
    ("root: a\na: root\n", "别名循环引用：root -> a -> root"),
    ("root:\n", "别名 root 没有指向任何人"),
    ("root: a\nroot: b\n", "别名 root 已在第 1 行定义过"),
    ("a@x.org: b\n", "只有本地名称才能作为别名，a@x.org 不行"),
    ("root: b@\n", "地址 b@ 无效：@ 之后没有内容"),
]


@pytest.mark.parametrize(("text", "line"), ALIASES)
def test_faults_of_an_aliases_file_are_said_in_chinese(tmp_path, text, line):
    """A sentence within a sentence is said to its last word."""
    path = tmp_path / "aliases"
    path.write_text(text)
    arguments = ["--host=x", *FROM, f"--aliases={path}", "root"]
    (first, *_) = chinese_lines(call_program("msmtp", arguments, MAIL, CHINESE))
    assert re.fullmatch(re.escape(f"{path}：第 ") + r"\d 行：" + re.escape(line), first)


# -- in a session -----------------------------------------------------------------------------

REFUSALS = [
    ({"": "554 go away"}, [], ["服务器在问候语中拒绝了连接", "服务器消息：554 go away"]),
    ({"": "421 busy"}, [], ["服务器声明将关闭连接", "服务器消息：421 busy"]),
    ({"": "SSH-2.0-x"}, [], ["服务器发来的一行不是 SMTP 应答：SSH-2.0-x"]),
    ({"EHLO": "550 no", "HELO": "550 no"}, [], ["服务器拒绝了 EHLO 和 HELO"]),
    ({}, ["--tls", "--tls-certcheck=off"], ["服务器不支持通过 STARTTLS 命令启用 TLS", "建议："]),
    ({"MAIL": "550 no"}, [], ["服务器不接受信封发件人地址 me@example.org"]),
    ({"RCPT": "550 no"}, [], ["服务器不接受收件人地址 to@example.org", "服务器消息：550 no"]),
    ({"RCPT": ""}, [], ["服务器关闭了连接"]),
    ({"DATA": "550 no"}, [], ["服务器不接受邮件内容"]),
    ({"DATA": "250 what"}, [], ["服务器对 DATA 的应答是 250，不符合协议：what"]),
    ({".": "550 no"}, [], ["服务器没有接受邮件"]),
    ({".": ""}, [], ["服务器关闭了连接", "邮件已完整发出，但没有收到服务器的应答：邮件可能已经送达",
                     "邮件发送失败"]),
    ({"EHLO": "250-x\r\n250 SIZE 9"}, [], ["邮件有 ", "建议：请减小邮件，或改为发送下载链接"]),
    ({"EHLO": "250 x"}, LOGIN, ["服务器不提供登录功能", "建议："]),
    ({"EHLO": "250 AUTH PLAIN"}, ["--auth=login", *LOGIN[1:]], ["服务器不"]),
    ({"AUTH": "535 5.7.8 no"}, LOGIN, ["登录认证失败（方式 PLAIN）", "服务器消息：535 5.7.8 no"]),
    (QIYE | {"AUTH": "526 Authentication failure[0]"}, LOGIN,
     ["登录认证失败（方式 PLAIN）", "服务器消息：526 Authentication failure[0]", "提示：阿里"]),
    (QIYE | {"MAIL": "440 mail from account doesn't conform with authentication"}, [],
     ["服务器不接受信封发件人地址 me@example.org", "服务器消息：440 ", "提示：阿里"]),
]  # fmt: skip


@pytest.mark.parametrize(("replies", "options", "lines"), REFUSALS, ids=str)
def test_a_refusal_is_said_in_chinese(tmp_path, replies, options, lines):
    """The server's words stay its own, and the log is the same line in every language."""
    logs = []
    for env in (CHINESE, ENGLISH):
        log = tmp_path / env["LC_ALL"]
        options_ = [*options, f"--logfile={log}", "--logfile-time-format=none"]
        result, _ = send_to_puppet(replies, *options_, env=env)
        logs.append((result.exit_code, log.read_bytes()))
        if env is CHINESE:
            told = chinese_lines(result)
            for said, expected in zip(told, lines, strict=False):
                assert said.startswith(expected)
            assert told[-1] == "邮件发送失败"
        else:
            assert result.lines[-1] == "could not send mail"
            assert not _HAN.search(result.err)
    assert logs[0] == logs[1]
    assert logs[0][1].isascii()


def test_the_account_and_a_part_of_the_recipients_are_named_in_chinese(tmp_path):
    """The last line says whose mail it was, and that some have it."""
    replies = {"RCPT TO:<bad@x.org>": "550 5.1.1 no such user"}
    with Puppet(replies) as puppet:
        path = tmp_path / "rc"
        path.write_text(f"account work\nhost 127.0.0.1\nport {puppet.port}\nfrom me@x.org\n")
        path.chmod(0o600)
        arguments = ["-C", str(path), "-a", "work", "a@x.org", "bad@x.org"]
        result = call_program("msmtp", arguments, MAIL, CHINESE)
    assert chinese_lines(result) == [
        "服务器不接受收件人地址 bad@x.org",
        "服务器消息：550 5.1.1 no such user",
        "提示：收件人不存在。",
        "解决办法：改正地址。",
        f"部分收件人的邮件发送失败（账户 work，来自 {path}）",
    ]


def test_a_warning_is_said_in_chinese():
    """The mail is sent, and something was left out."""
    result, _ = send_to_puppet({}, "--dsn-notify=failure", env=CHINESE)
    assert result.exit_code == 0
    assert chinese_lines(result) == ["警告：服务器不支持 DSN：没有请求投递报告"]


def test_a_log_that_cannot_be_written_is_said_in_chinese():
    """Its record, which is shown in its place, is the English one."""
    result, _ = send_to_puppet({}, "--logfile=/nonexistent/log", env=CHINESE)
    first, second = chinese_lines(result)
    assert first == "无法写入日志 /nonexistent/log：No such file or directory"
    assert second.startswith("日志内容为：host=127.0.0.1 tls=off ")


def test_a_certificate_that_is_not_trusted_is_said_in_chinese(tmp_path):
    """Attack: somebody in the middle. What to do is said as well."""
    context = _server_context()
    path = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(path)
    with Peer(tls="implicit", context=context) as peer:
        options = ["--host=127.0.0.1", f"--port={peer.port}", "--tls", "--tls-starttls=off"]
        arguments = [*options, f"--tls-trust-file={path}", *FROM, "a@x.org"]
        result = call_program("msmtp", arguments, MAIL, CHINESE)
    lines = chinese_lines(result)
    assert result.exit_code == 69
    assert lines[0].startswith("TLS 证书验证失败：127.0.0.1（端口 ")
    assert any(line.startswith("建议：") for line in lines)


def test_a_server_that_waits_for_tls_is_said_in_chinese():
    """The commonest fault of a configuration names the keywords, which stay."""
    with Peer(tls="implicit", context=_server_context()) as peer:
        options = ["--host=127.0.0.1", f"--port={peer.port}", "--timeout=1"]
        result = call_program("msmtp", [*options, *FROM, "a@x.org"], MAIL, CHINESE)
    first, second, *_ = chinese_lines(result)
    assert first == f"127.0.0.1（端口 {peer.port}）在建立 TLS 之前不会应答，而账户设置为 tls off"
    assert second == (
        "建议：请设置 tls on 和 tls_starttls off（与端口 465 相同）；"
        "或改用 STARTTLS 端口（587），并设置 tls on 和 tls_starttls on"
    )


def _server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_server_that_is_silent_is_said_in_chinese():
    """A deadline that passes is a failure for a while."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        options = ["--host=127.0.0.1", f"--port={port}", "--timeout=1", *FROM, "a@x.org"]
        result = call_program("msmtp", options, MAIL, CHINESE)
    assert result.exit_code == 75
    assert chinese_lines(result)[0].endswith(f"127.0.0.1（端口 {port}）：操作超时")


def test_a_refused_etrn_is_said_in_chinese():
    """``--rmqs`` has texts of its own."""
    replies = {"EHLO": "250-x\r\n250 ETRN", "ETRN": "459 no"}
    with Puppet(replies) as puppet:
        arguments = ["--host=127.0.0.1", f"--port={puppet.port}", "--rmqs=x.org"]
        result = call_program("msmtp", arguments, b"", CHINESE)
    assert chinese_lines(result) == ["服务器不允许为节点 x.org 启动队列", "服务器消息：459 no"]
    with Puppet() as puppet:
        arguments = ["--host=127.0.0.1", f"--port={puppet.port}", "--rmqs=x.org"]
        result = call_program("msmtp", arguments, b"", CHINESE)
    assert chinese_lines(result) == ["服务器不支持远程启动邮件队列（ETRN）"]


@pytest.mark.parametrize(("arguments", "lines"), [
    (["--version"], ["除 --direct、--queue 和 --wait 外，sendmail 没有长选项",
                     "建议：只有以 msmtp 之名运行时才支持 msmtp 的选项"]),
    (["-bt"], ["不支持运行模式 -bt"]),
    (["-R", "some", "a@x.org"], ["-R 的参数 'some' 无效：请填写 "]),
])  # fmt: skip
def test_sendmail_speaks_chinese(arguments, lines):
    """The other personality, too."""
    said = chinese_lines(call_program("sendmail", arguments, MAIL, CHINESE))
    assert [line[: len(text)] for line, text in zip(said, lines, strict=False)] == lines


def test_pillarbox_speaks_chinese():
    """A command that does not exist."""
    result = call_program("pillarbox", ["tri"], b"", CHINESE)
    assert chinese_lines(result) == [
        "没有命令 'tri'；您要用的是 'try' 吗？",
        "建议：可用 'pillarbox --help' 列出所有命令",
    ]


def test_session_on_standard_input_complains_in_chinese_and_answers_in_english(tmp_path):
    """``-bs``: a program reads the replies, a person standard error."""
    answers, complaints = [], []
    path = tmp_path / ".msmtprc"
    talk = b"EHLO x\r\nMAIL FROM:<me@x.org>\r\nRCPT TO:<a@x.org>\r\nDATA\r\n" + MAIL
    for env in (CHINESE, ENGLISH):
        with Puppet({"RCPT": "550 no"}) as puppet:
            path.write_text(f"account default\nhost 127.0.0.1\nport {puppet.port}\nfrom me@x.org\n")
            path.chmod(0o600)
            home = {"HOME": str(tmp_path)}
            result = call_program("sendmail", ["-bs"], talk + b".\r\nQUIT\r\n", env | home)
        answers.append(result.out)
        complaints.append(result)
    assert chinese_lines(complaints[0])[0] == "服务器不接受收件人地址 a@x.org"
    assert not _HAN.search(complaints[1].err)
    assert answers[0] == answers[1]
    assert answers[0].isascii()
    assert re.search(r"^5\d\d .*\bno\b", answers[0], re.MULTILINE)


# -- what programs read -----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [
    ["--pretend", "a@x.org"],
    ["--serverinfo"],
    ["--debug", "a@x.org"],
    ["--version"],
    ["--help"],
])  # fmt: skip
def test_what_programs_read_is_english(tmp_path, peer, arguments):
    """Standard output has the same octets, whatever the person's language is."""
    path = tmp_path / "rc"
    path.write_text(
        f"account default\nhost 127.0.0.1\nport {peer.port}\nfrom me@x.org\nset_date_header off\n"
        "set_msgid_header off\n"
    )
    path.chmod(0o600)
    results = [
        call_program("msmtp", ["-C", str(path), *arguments], MAIL, env)
        for env in (CHINESE, ENGLISH)
    ]
    assert results[0] == results[1]
    assert (results[0].exit_code, results[0].err) == (0, "")
    assert results[0].out.isascii()
    peer.received.clear()


# -- terminals that cannot show it ------------------------------------------------------------


@pytest.mark.parametrize("env", [
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "zh_CN.UTF-8", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "zh_CN.UTF-8", "PYTHONIOENCODING": "latin-1:strict"},
    {"LC_ALL": "zh_CN.GBK", "PYTHONIOENCODING": "gbk"},
    {"LC_ALL": "zh_CN", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
])  # fmt: skip
def test_a_terminal_without_the_characters_is_told_in_escapes(env):
    """Nothing crashes, and the exit code is the same: escapes stand for what cannot be shown."""
    done = subprocess.run(
        [sys.executable, "-S", str(BIN / "msmtp"), "--nosuch", "a@x.org"],
        input=MAIL,
        capture_output=True,
        check=False,
        env=ENVIRONMENT | env,
        timeout=20,
    )
    assert (done.returncode, done.stdout) == (64, b"")
    assert b"--nosuch" in done.stderr
    assert b"Traceback" not in done.stderr
    if env.get("PYTHONIOENCODING") == "ascii" and env["LC_ALL"] != "C":
        assert b"\\u65e0\\u6cd5\\u8bc6\\u522b" in done.stderr


@pytest.mark.parametrize("mode", ["--pretend", "--debug"])
@pytest.mark.parametrize("env", [
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "zh_CN.GBK", "PYTHONIOENCODING": "gbk"},
])  # fmt: skip
def test_standard_output_without_the_characters_loses_no_mail(tmp_path, env, mode):
    """What is shown of the account and the dialogue may have any letter, of anybody's."""
    path = tmp_path / "rc"
    path.touch(0o600)
    with Puppet({"RCPT": "250 grüß dich \U0001f4ee"}) as puppet:
        text = f"account default\nhost 127.0.0.1\nport {puppet.port}\nfrom me@x.org\n"
        path.write_text(text + "from_full_name Jörg 张三 \U0001f4ee\n", "utf-8")
        done = subprocess.run(
            [sys.executable, "-S", str(BIN / "msmtp"), "-C", str(path), mode, "a@x.org"],
            input=MAIL,
            capture_output=True,
            check=False,
            env=ENVIRONMENT | env,
            timeout=20,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"from_full_name = J" in done.stdout
    assert len(puppet.contents) == (mode == "--debug")


# -- what it costs ----------------------------------------------------------------------------

_COUNTING = """
import sys
from pillarbox import text
plain, told = text.say, []
def say(*arguments, **fields):
    caller = sys._getframe(1).f_code
    # A stream carries the name of its peer, which is made once a connection.
    if caller.co_name != "<module>" and not caller.co_filename.endswith("/net/dial.py"):
        told.append(f"{caller.co_filename}:{caller.co_name}")
    return plain(*arguments, **fields)
text.say = say
from pillarbox.cli.main import load
code = load("pillarbox.cli.msmtp").main(sys.argv[1:])
print(code, *told, "pillarbox.texts_zh" in sys.modules)
"""


@pytest.mark.parametrize(("replies", "is_silent"), [({}, True), ({"RCPT": "550 no"}, False)])
def test_a_mail_that_goes_through_makes_no_text(tmp_path, replies, is_silent):
    """Nobody hears of success, so nothing is said and no catalogue is read for it."""
    path = tmp_path / "rc"
    path.touch(0o600)
    with Puppet(replies) as puppet:
        path.write_text(
            f"account default\nhost 127.0.0.1\nport {puppet.port}\nfrom {USER}\nauth plain\n"
            f"user {USER}\npassword {PASSWORD}\naliases {tmp_path / 'aliases'}\nrepair off\n"
        )
        (tmp_path / "aliases").write_text("root: me@x.org\n")
        options = ["-C", str(path), "--", "root"]
        done = subprocess.run(
            [sys.executable, "-S", "-c", _COUNTING, *options],
            input=MAIL,
            capture_output=True,
            check=True,
            env=ENVIRONMENT | CHINESE,
            timeout=20,
        )
    assert (done.stdout == b"0 False\n") == is_silent
    assert done.stdout.endswith(b" False\n" if is_silent else b" True\n")
