"""What an audit finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a check came out; the value is how it is printed."""

    PASS = "pass"
    FAIL = "FAIL"
    LOOK = "look"
    """Nothing is wrong for certain, but a person should look."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes
    ----------
    verdict : Verdict
        How it came out.
    check : str
        What was checked, in a few words.
    said : str
        What was found, with numbers, and what to do if it is wrong.
    """

    verdict: Verdict
    check: str
    said: str

    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.verdict.value}  {self.check:<14}{self.said}"
