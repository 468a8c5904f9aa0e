"""
The protocol engine: SMTP (RFC 5321) and LMTP (RFC 2033), both sides, without any I/O.

Bytes in, events and bytes out: no socket, file, clock or thread, and no randomness it was not
handed. ``net/`` moves the bytes and does the waiting; ``delivery/`` introduces the two.
"""
