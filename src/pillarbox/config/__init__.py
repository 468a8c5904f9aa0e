"""Where a mail is to go and how: msmtprc files, the choice of an account, its password."""
