"""
The command line: argv and standard input in, an exit code out.

One file a subcommand and one row in ``main.COMMANDS``; one file a personality (``msmtp``,
``sendmail`` ...) and one row in ``main.PERSONALITIES``. Each is imported only when it is used.
"""
