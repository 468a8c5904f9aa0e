"""What the DNS knows; the only room that uses dnspython (extra ``dns``)."""
