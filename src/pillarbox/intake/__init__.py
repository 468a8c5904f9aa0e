"""
The doors that are sockets: SMTP and LMTP in, a reply out.

Whatever listens uses the one driver (``driver``) around the server session of ``smtp/server``;
what becomes of a mail is the business of its handler.
"""
