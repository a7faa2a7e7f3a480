"""The answer to a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a check found.

    Attributes:
        name: the check, the same on every table or file.
        subject: the table ``<dataset>.<table>`` or the file ``<dataset>/<file>`` that it was held against.
        passed: whether all was well.
        warns: whether the run may go on although not all was well.
        found: what it found, for a person: the number beside its limit.
        numbers: the figures.
        fix: what to do where it failed.
    """

    name: str
    subject: str
    passed: bool
    found: str
    warns: bool = False
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)
    fix: str = ""

    @property
    def refuses(self) -> bool:
        """Whether nothing may be made of what was held against it."""
        return not (self.passed or self.warns)

    @property
    def relation(self) -> str:
        """The name of the table or mart, without its dataset."""
        return self.subject.rpartition(".")[2]

    @property
    def refusal(self) -> str:
        """The failure in words: what failed, and what to do."""
        return f"{self.subject} fails {self.name}: {self.found}\n  to do: {self.fix}"
