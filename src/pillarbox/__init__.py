"""
Send a server's mail through the account that its owner already has.

Importing this package loads nothing: the commands start in milliseconds because of it. ``send``
and ``Message``, the interface for programs, are loaded when they are first asked for.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.api import Attachment, Message, NotDeliveredError, SendResult, send

__all__ = ["Attachment", "Message", "NotDeliveredError", "SendResult", "__version__", "send"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load the interface when something of it is asked for (PEP 562)."""
    if name in __all__:
        from pillarbox import api

        return getattr(api, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
