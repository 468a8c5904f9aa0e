"""What web sites, mail programs, scripts and libraries write."""

import base64
from email.header import Header

from corpus.shape import NOW, SENDER, Shape

__all__ = ["PROGRAMS"]

_WORDPRESS = """Date: {date}
To: me@test.com
From: WordPress <wordpress@www.example.net>
Subject: =?UTF-8?B?W+aIkeeahOermeeCuV0g5paw6K+E6K66?=
Message-ID: <VZ0jQn2ZQ1x8@www.example.net>
X-Mailer: PHPMailer 6.9.1 (https://github.com/PHPMailer/PHPMailer)
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

有一条新评论等待审核
https://www.example.net/wp-admin/comment.php?c=12
"""
_GIT = f"""From: {SENDER}
To: me@test.com
Subject: [PATCH] Fix the daemon's =?UTF-8?q?M=C3=BCller?= test
Date: {{date}}
Message-ID: <20261124110211.1234-1-no-reply@example.com>
X-Mailer: git-send-email 2.39.5
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

From: Jörg Müller <joerg@example.org>

---
 a.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/a.c b/a.c
--- a/a.c
+++ b/a.c
@@ -1 +1 @@
-int a;
+int b;
--{{blank}}
2.39.5
"""
_HOOK = """To: me@test.com
Subject: [git] web.git branch main updated. v1.0-3-gabc1234
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit
X-Git-Refname: refs/heads/main
Auto-Submitted: auto-generated

The branch, main has been updated
- Log -----------------------------------------------------------------
commit abc1234
Author: 王小明 <wang@example.org>

    修复登录
"""
_HTML = (
    "<html><head><style>p { color: red }</style></head><body><p>您好，</p>"
    "<p>备份已经 <b>完成</b>，共 <i>12</i> 个文件。请登录服务器查看日志和报告。</p></body></html>"
)
_ENGLISH = "All 12 databases were dumped in 312 seconds and copied to the archive.\n"
_GO = "From: no-reply@example.com\nTo: me@test.com\nSubject: 服务器告警\n\n内存不足\n"


def _python_header_sample():
    """Return the sample of a hundred blogs: whole addresses in encoded words."""
    return (
        'Content-Type: text/plain; charset="utf-8"\nMIME-Version: 1.0\n'
        "Content-Transfer-Encoding: base64\n"
        f"From: {Header(SENDER, 'utf-8').encode()}\nTo: {Header('me@test.com', 'utf-8').encode()}\n"
        f"Subject: {Header('Python 邮件测试', 'utf-8').encode()}\n\n"
        f"{base64.b64encode('发送成功...'.encode()).decode()}\n"
    )


PROGRAMS = (
    Shape("tutorial", "Subject: 测试\n\n正文\n", "正文"),
    Shape("tutorial with a longer subject", "Subject: 中文主题\n\n正文\n", "中文主题"),
    Shape(
        "PHP mail()",
        "To: me@test.com\nSubject: 订单 1024 已付款\nX-PHP-Originating-Script: 33:order.php\n\n"
        "感谢您的订购。\n",
        "感谢您的订购",
        "-t -i",
    ),
    Shape(
        "PHP mail() with headers",
        "To: me@test.com\r\nSubject: New contact form message\r\n"
        "X-PHP-Originating-Script: 33:contact.php\r\nFrom: www-data@web01\r\n"
        "Reply-To: visitor@example.org\r\nContent-type: text/html; charset=UTF-8\r\n\r\n"
        "<p>Hello, I have a question about my order from last week.</p>\r\n",
        "I have a question",
        "-t -i",
    ),
    Shape("WordPress", _WORDPRESS, "有一条新评论等待审核", "-oi -f wordpress@www.example.net -t"),
    Shape(
        "git send-email",
        _GIT.replace("{blank}", " "),
        "+int b;",
        "-i -f no-reply@example.com me@test.com",
    ),
    Shape("git post-receive hook", _HOOK, "修复登录", "-t"),
    Shape(
        "tar in a script",
        "Subject: backup web01\n\ntar: Removing leading `/' from member names\n"
        "tar: /srv/data: file changed as we read it\nTotal bytes written: 1073741824 (1.0GiB)\n",
        "file changed as we read it",
    ),
    Shape(
        "rsync with a progress bar",
        "Subject: rsync finished\n\nsending incremental file list\n"
        "     32,768   0%    0.00kB/s    0:00:00\r 12,582,912 100%   98.36MB/s    0:00:00 (xfr#1)\n"
        "total size is 12,582,912  speedup is 1.00\n",
        "speedup is 1.00",
    ),
    Shape(
        "borg",
        "Subject: [borg] web01\nTo: me@test.com\n\n"
        "------------------------------------------------------------------------------\n"
        "Archive name: web01-2026-11-24\nNumber of files: 1024\n",
        "Number of files: 1024",
    ),
    Shape(
        "mail of s-nail",
        """Date: {date}
To: me@test.com
Subject: =?utf-8?B?5pyN5Yqh5Zmo5ZGK6K2m?=
User-Agent: s-nail v14.9.24
From: no-reply@example.com
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable
Message-ID: <20261124110211.abcdefgh@web01.example.com>

=E7=A3=81=E7=9B=98=E7=A9=BA=E9=97=B4=E4=B8=8D=E8=B6=B3
""",
        "磁盘空间不足",
        "-i me@test.com",
    ),
    Shape(
        "mail of mailutils",
        "To: <me@test.com>\nSubject: 磁盘告警\nUser-Agent: mail (GNU Mailutils 3.15)\n"
        "Date: {date}\nFrom: root <root@web01>\n\n磁盘使用率 95%\n",
        "磁盘使用率 95%",
        "-oi -f root@web01 -t",
    ),
    Shape(
        "mutt",
        """Date: {date}
From: root <root@web01.localdomain>
To: me@test.com
Subject: report
Message-ID: <ZzzAbCdEf123@web01.localdomain>
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Disposition: inline

The report of last night is below, nothing is wrong.
""",
        "nothing is wrong",
        "-oem -oi -- me@test.com",
    ),
    Shape("Python Header around addresses", _python_header_sample(), "发送成功"),
    Shape(
        "Python EmailMessage without Date",
        "Subject: =?utf-8?b?5aSH5Lu95a6M5oiQ?=\nFrom: no-reply@example.com\nTo: me@test.com\n"
        'Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: 8bit\n'
        "MIME-Version: 1.0\n\n备份完成\n",
        "备份完成",
    ),
    Shape(
        "Python smtplib by hand",
        "From: Monitor <no-reply@example.com>\nTo: Admin <me@test.com>\nSubject: 报警\n\n"
        "    CPU 温度 95 度\n    ",
        "CPU 温度 95 度",
    ),
    Shape(
        "Python MIMEText of ASCII in base64",
        'Content-Type: text/plain; charset="utf-8"\nMIME-Version: 1.0\n'
        "Content-Transfer-Encoding: base64\nFrom: no-reply@example.com\nTo: me@test.com\n"
        "Subject: =?utf-8?b?bmlnaHRseSBiYWNrdXAgaXMgZG9uZQ==?=\n\n"
        f"{base64.encodebytes(_ENGLISH.encode()).decode()}",
        "copied to the archive",
    ),
    Shape(
        "Perl MIME::Lite",
        f"""Content-Disposition: inline
Content-Length: {len(_ENGLISH)}
Content-Transfer-Encoding: binary
Content-Type: text/plain
MIME-Version: 1.0
X-Mailer: MIME::Lite 3.033 (F2.85; T2.17; A2.21; B3.16; Q3.16)
Date: {{date}}
From: root@web01
To: me@test.com
Subject: nightly report

{_ENGLISH}""",
        "All 12 databases",
        "-t -oi -oem",
    ),
    Shape("Go net/smtp by hand", _GO, "内存不足"),
    Shape(
        "Node nodemailer",
        "From: =?UTF-8?B?55uR5o6n?= <no-reply@example.com>\r\nTo: me@test.com\r\n"
        "Subject: =?UTF-8?B?5ZGK6K2m?=\r\nMessage-ID: <8a5c2b1e-77aa-4a0c-9f3e-1a2b3c4d@vm>\r\n"
        "Date: {date}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n5YaF5a2Y5LiN6LazDQo=\r\n",
        "内存不足",
        "-i -f no-reply@example.com me@test.com",
    ),
    Shape("dash echo -e", "-e Subject: 测试\n\n正文\n", "正文"),
    Shape("echo -n in a script", "-n Subject: disk full\n\n/dev/vda1 is at 95 %\n", "95 %"),
    Shape("bash echo without -e", "Subject: 测试\\n\\n正文\n", "正文"),
    Shape(
        "echo with several headers, without -e",
        "Subject: backup\\nContent-Type: text/plain; charset=utf-8\\n\\n完成。\n",
        "完成。",
    ),
    Shape("text without headers", "Disk /dev/vda1 is 95 % full\nPlease look.\n", "Please look."),
    Shape("lines that look like headers", "Error: disk full\nhost: web01\n", "disk full"),
    Shape("headers of a log", "\nSubject: ALERT web01\n\nload is 12.5\n", "load is 12.5"),
    Shape(
        "HTML without text", f"Subject: 备份报告\nContent-Type: text/html\n\n{_HTML}\n", "备份已经"
    ),
    Shape(
        "HTML that names GBK itself",
        "Subject: 报告\nContent-Type: text/html\n\n".encode("gbk")
        + b'<html><head><meta charset="gb2312"></head><body>'
        + "<p>服务器运行正常，没有错误。</p></body></html>\n".encode("gbk"),
        "服务器运行正常",
    ),
    Shape(
        "multipart/alternative in 8bit",
        "From: no-reply@example.com\nTo: me@test.com\nSubject: 备份报告\nMIME-Version: 1.0\n"
        'Content-Type: multipart/alternative; boundary="b1"\n\n--b1\nContent-Type: text/plain\n\n'
        "您好，备份已经完成，共 12 个文件。请登录服务器查看日志和报告。\n\n--b1\n"
        f"Content-Type: text/html; charset=utf-8\n\n{_HTML}\n\n--b1--\n",
        "共 12 个文件",
    ),
    Shape(
        "alternative whose text is useless",
        "From: no-reply@example.com\nTo: me@test.com\nSubject: report\nMIME-Version: 1.0\n"
        'Content-Type: multipart/alternative; boundary="b1"\n\n--b1\nContent-Type: text/plain\n\n'
        "Please use a mail program that shows HTML.\n\n--b1\n"
        "Content-Type: text/html; charset=us-ascii\n\n<p>The nightly backup of all twelve "
        "databases was finished without any errors or warnings.</p>\n\n--b1--\n",
        "nightly backup of all twelve",
    ),
    Shape(
        "multipart with an 8-bit attachment",
        "To: me@test.com\nSubject: 日志\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="=_b2"\n\n--=_b2\n'
        "Content-Type: text/plain\n\n日志见附件。\n--=_b2\n"
        'Content-Type: application/octet-stream; name="日志.bin"\n'
        'Content-Disposition: attachment; filename="日志.bin"\n\n'.encode()
        + bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
        + b"\n--=_b2--\n",
        "日志见附件",
    ),
    Shape(
        "forwarded message with 8-bit text",
        f"""From: {SENDER}
To: me@test.com
Subject: Fwd: report
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b3"

--b3
Content-Type: text/plain; charset=us-ascii

See the forwarded message.

--b3
Content-Type: message/rfc822

From: a@example.org
To: b@example.org
Subject: report
Date: {NOW:%a, %d %b %Y} 00:00:00 +0000
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

转发的内容

--b3--
""",
        "转发的内容",
    ),
    Shape(
        "JSON in one line of 5000",
        'Subject: status\n\n{"events": ['
        + ", ".join(f'"event {number}"' for number in range(400))
        + "]}\n",
        "event 399",
    ),
    Shape(
        "attachment in one line of base64",
        "To: me@test.com\nSubject: archive\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b4"\n\n--b4\nContent-Type: text/plain\n\n'
        "The archive is attached.\n--b4\nContent-Type: application/octet-stream\n"
        "Content-Disposition: attachment; filename=a.bin\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.b64encode(bytes(range(256)) * 20).decode()}\n--b4--\n",
        "The archive is attached.",
    ),
)
