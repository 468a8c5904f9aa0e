"""Connect, wait and secure: the only room that knows sockets, ``ssl`` and deadlines."""
