"""What is wrong with a message, told before it is sent; without network."""

from pillarbox.lint.check import Linted, LintFacts, lint
from pillarbox.lint.finding import Finding

__all__ = ["Finding", "LintFacts", "Linted", "lint"]
