"""
What ``pillarbox try`` says, in English and Chinese.

The rule to keep: both tables have the same keys and the same places to fill; a test holds it.
"""

from __future__ import annotations

__all__ = ["TEXTS"]

_ENGLISH = {
    # --help
    "help": "Send one mail with the real msmtp to a mail provider inside this computer, and show"
    " what arrived. Nothing leaves the computer.",
    "help_wrong_password": "log in with a wrong password, and show the failure",
    "help_wrong_from": "send as somebody else, and show the failure",
    "help_to": "the recipient (default: %(default)s)",
    "help_keep": "keep the configuration and the mail, and say where",
    "help_lang": "the language (default: that of LC_ALL, LC_MESSAGES or LANG)",
    # the course of things
    "title": "pillarbox try: one mail to a provider inside this computer",
    "promise": "Nothing leaves this computer, and nothing is left on it.",
    "promise_kept": "Nothing leaves this computer.",
    "provider": "The provider",
    "provider_facts": "{host}, port {port}, implicit TLS with a certificate made just now."
    " It behaves like Aliyun enterprise mail (smtp.qiye.aliyun.com).",
    "config": "The configuration",
    "config_place": "{path} (mode 600)",
    "config_wrong_password": "The password is wrong on purpose.",
    "config_wrong_from": "The sender is not the login, on purpose; and repair is off, else the"
    " login would become the sender.",
    "run": "What is run",
    "run_really": "with the file of step 2, so really:",
    "run_exit": "exit code {code}{name}, after {seconds:.2f} s",
    "run_stderr": "It says:",
    "saw": "What the provider saw",
    "saw_tls": "TLS",
    "saw_no_tls": "none!",
    "saw_login": "login",
    "saw_login_refused": "{user} ({mechanism}): refused",
    "saw_commands": "commands",
    "saw_refused": "refused",
    "saw_nothing": "Nothing.",
    "mail": "The mail, as it arrived",
    "mail_raw": "sent as raw 8-bit octets",
    "mail_encoded": "sent encoded (RFC 2047)",
    "mail_empty_body": "(no text)",
    "repairs": "What msmtp repaired",
    "repairs_intro": "As written, this mail would have had the faults below. Behind each: the"
    " points that SpamAssassin and rspamd give for it alone (rspamd delays a mail from 4 points"
    " on, and calls it spam from 6).",
    "repairs_none": "Nothing was to be repaired.",
    "repairs_total": "together",
    "repairs_off": "A mail in which nothing is wrong is sent byte for byte as it came. 'repair"
    " off' in the configuration, or 'msmtp --raw', sends every mail so.",
    "repair": "{what}: {fix}.",
    "cost": "SpamAssassin {spamassassin:.1f}, rspamd {rspamd:.1f}",
    "next": "Next steps",
    "next_config": "Put the keywords of step 2 with your own account into /etc/msmtprc (for"
    " everybody) or ~/.msmtprc (for yourself), then chmod 600: the password stands in it. With"
    " 600 only the owner of the file can send; with 644 everybody can read the password.",
    "next_host": "For Aliyun enterprise mail: host smtp.qiye.aliyun.com, port 465,"
    " tls_trust_file /etc/ssl/certs/ca-certificates.crt; user and from are the same address.",
    "next_console": "In the provider's console: allow third-party clients and SMTP for the"
    " account. If it has a security password for clients, that one is the password.",
    "next_printf": "In a script that begins with #!/bin/sh write printf instead of echo -e: the"
    " echo of dash sends the -e along, and the Subject is lost.",
    "next_failures": "'pillarbox try --wrong-password' and '--wrong-from' show how failures look.",
    "next_success": "'pillarbox try' shows a mail going through.",
    "kept": "Kept in {path}: remove it when you are done, a password stands in it.",
    "good": "It went as it should.",
    "good_failure": "It failed as it should.",
    "bad": "It did not go as it should.",
    # what can be wrong before anything is shown
    "no_msmtp": "no msmtp of this package beside {places}: install it with pip install pillarbox",
    "no_start": "the provider did not start",
    "too_slow": "msmtp did not end within {seconds} s",
}

_CHINESE = {
    "help": "用真正的 msmtp 向本机内的邮件服务商发一封邮件，并显示收到的内容。邮件不会离开本机。",
    "help_wrong_password": "用错误的密码登录，看失败时的样子",
    "help_wrong_from": "冒用别人的发件地址，看失败时的样子",
    "help_to": "收件人（默认：%(default)s）",
    "help_keep": "保留配置和邮件，并说明位置",
    "help_lang": "语言（默认取自 LC_ALL、LC_MESSAGES 或 LANG）",
    "title": "pillarbox try：向本机内的邮件服务商发一封邮件",
    "promise": "邮件不会离开本机，也不会留下任何东西。",
    "promise_kept": "邮件不会离开本机。",
    "provider": "服务商",
    "provider_facts": "{host}，端口 {port}，隐式 TLS，证书刚刚生成。"
    "它的表现与阿里企业邮箱（smtp.qiye.aliyun.com）相同。",
    "config": "配置",
    "config_place": "{path}（权限 600）",
    "config_wrong_password": "密码是故意写错的。",
    "config_wrong_from": "发件人故意与登录账号不同；并关闭了修复，否则发件人会改为登录账号。",
    "run": "执行的命令",
    "run_really": "使用第 2 步的文件，所以实际执行的是：",
    "run_exit": "退出码 {code}{name}，用时 {seconds:.2f} 秒",
    "run_stderr": "它说：",
    "saw": "服务商看到了什么",
    "saw_tls": "TLS",
    "saw_no_tls": "没有！",
    "saw_login": "登录",
    "saw_login_refused": "{user}（{mechanism}）：被拒绝",
    "saw_commands": "命令",
    "saw_refused": "被拒绝",
    "saw_nothing": "什么也没看到。",
    "mail": "收到的邮件",
    "mail_raw": "以未编码的 8 位字节发送",
    "mail_encoded": "已编码（RFC 2047）",
    "mail_empty_body": "（没有正文）",
    "repairs": "msmtp 修复了什么",
    "repairs_intro": "按原样，这封邮件会有以下问题。每条后面是 SpamAssassin 和 rspamd"
    " 单独为此扣的分（rspamd 从 4 分起延迟收信，从 6 分起算垃圾邮件）。",
    "repairs_none": "没有需要修复的地方。",
    "repairs_total": "合计",
    "repairs_off": "没有问题的邮件按原样逐字节发送。配置中写 repair off，或用 msmtp --raw，"
    "则所有邮件都按原样发送。",
    "repair": "{what}：{fix}。",
    "cost": "SpamAssassin {spamassassin:.1f}，rspamd {rspamd:.1f}",
    "next": "下一步",
    "next_config": "把第 2 步的这些关键字连同你自己的账号写进 /etc/msmtprc（所有用户）或"
    " ~/.msmtprc（你自己），然后 chmod 600：里面有密码。600 时只有文件的所有者能发信，"
    "644 时人人都能读到密码。",
    "next_host": "阿里企业邮箱：host smtp.qiye.aliyun.com，port 465，"
    "tls_trust_file /etc/ssl/certs/ca-certificates.crt；user 与 from 是同一个地址。",
    "next_console": "在服务商的管理后台允许该账号使用三方客户端和 SMTP 服务。"
    "如果启用了三方客户端安全密码，就填这个密码。",
    "next_printf": "以 #!/bin/sh 开头的脚本里请用 printf 代替 echo -e："
    "dash 的 echo 会把 -e 也发出去，标题就丢了。",
    "next_failures": "'pillarbox try --wrong-password' 和 '--wrong-from' 显示失败时的样子。",
    "next_success": "'pillarbox try' 显示一封邮件如何发送成功。",
    "kept": "保留在 {path}：用完请删除，里面有密码。",
    "good": "一切正常。",
    "good_failure": "如预期地失败了。",
    "bad": "结果与预期不符。",
    "no_msmtp": "在 {places} 没有找到本软件包的 msmtp：请用 pip install pillarbox 安装",
    "no_start": "服务商没有启动",
    "too_slow": "msmtp 在 {seconds} 秒内没有结束",
}

TEXTS = {"en": _ENGLISH, "zh": _CHINESE}
