"""
The journey of a mail: where the engines are introduced to each other.

An account becomes a route, a route a connection, a mail on it a status for each forward-path,
and the statuses a report.
"""
