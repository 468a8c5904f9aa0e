"""
Lists of names that the checks look things up in; nothing but data.

Each says what it is a list of; add to it what is met. All in lower case.
"""

from __future__ import annotations

__all__ = ["DANGEROUS", "FREE_MAILERS", "PACKED", "SHORTENERS", "VAGUE_SUBJECTS"]

# Domains where anybody gets a mailbox for nothing.
FREE_MAILERS = frozenset((
    "gmail.com", "googlemail.com", "qq.com", "foxmail.com", "163.com", "126.com", "yeah.net",
    "sina.com", "sina.cn", "sohu.com", "139.com", "189.cn", "aliyun.com", "outlook.com",
    "hotmail.com", "live.com", "msn.com", "yahoo.com", "ymail.com", "icloud.com", "me.com",
    "aol.com", "gmx.com", "gmx.net", "gmx.de", "web.de", "mail.ru", "yandex.ru", "yandex.com",
    "protonmail.com", "proton.me", "mail.com", "zoho.com", "tutanota.com", "naver.com",
    "daum.net",
))  # fmt: skip

# Hosts whose links lead elsewhere.
SHORTENERS = frozenset((
    "bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "cutt.ly", "rb.gy",
    "rebrand.ly", "shorturl.at", "tiny.cc", "t.cn", "url.cn", "dwz.cn", "suo.im", "suo.nz",
    "mrw.so", "dwz.lc", "985.so", "u.to", "v.gd", "bl.ink", "lnkd.in", "soo.gd", "s.id", "t.ly",
    "urlz.fr",
))  # fmt: skip

# Endings that the big providers refuse (552 5.7.0 at Gmail, 551 or 552 at others).
DANGEROUS = frozenset((
    "ade", "adp", "apk", "appx", "appxbundle", "bat", "cab", "chm", "cmd", "com", "cpl", "dll",
    "dmg", "ex", "ex_", "exe", "hta", "img", "ins", "iso", "isp", "jar", "jnlp", "js", "jse",
    "lib", "lnk", "mde", "msc", "msi", "msix", "msp", "mst", "nsh", "pif", "ps1", "reg", "scr",
    "sct", "shb", "sys", "vb", "vbe", "vbs", "vhd", "vxd", "wsc", "wsf", "wsh", "xll",
))  # fmt: skip

# Endings of one compressed file; what it is stands in front of them.
PACKED = frozenset((
    "gz", "bz2", "xz", "zst", "z", "lz4",
))  # fmt: skip

# What people write to see whether mail works; 163 refuses some of it (554 DT:SPM).
VAGUE_SUBJECTS = frozenset((
    "test", "testing", "test1", "test2", "test123", "tests", "hello", "hi", "hey", "foo", "abc",
    "aaa", "asdf", "1", "123", "1234", "test mail", "test email", "test message", "testing mail",
    "hello world", "this is a test", "测试", "测试邮件", "测试一下", "邮件测试", "测试测试",
    "你好", "您好",
))  # fmt: skip
