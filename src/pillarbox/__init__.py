"""
Send a server's mail through the account that its owner already has.

Importing this package loads nothing: the commands start in milliseconds because of it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
