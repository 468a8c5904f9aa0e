"""
The corpus: shapes of mail as they come on real servers, each with the call that brings it.

A new one is a row in the table of its kind; tests, scores and the page of scores follow.
"""

from corpus.daemons import DAEMONS
from corpus.programs import PROGRAMS
from corpus.sealed import SEALED
from corpus.terminals import TERMINALS

__all__ = ["SHAPES"]

SHAPES = (*PROGRAMS, *DAEMONS, *TERMINALS, *SEALED)
