"""All cases, of all tables."""

from differential.table_configuration import CONFIGURATION
from differential.table_messages import MESSAGES
from differential.table_options import OPTIONS
from differential.table_output import OUTPUT
from differential.table_sessions import SESSIONS

__all__ = ["CASES"]

CASES = (*OPTIONS, *CONFIGURATION, *MESSAGES, *SESSIONS, *OUTPUT)
