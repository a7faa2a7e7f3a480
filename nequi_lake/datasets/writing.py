"""How numbers, truth values and moments may be written: the part of ``format=`` that is not of ``strptime``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

_BODY = re.compile(r"[0-9](?:[0-9.,' \u00a0\u202f_]*[0-9])?")
_SIGNS = ".,' \u00a0\u202f_"
EPOCHS: Mapping[str, int] = {"epoch s": 1_000_000, "epoch ms": 1_000, "epoch us": 1}
"""A count since 1970-01-01 in UTC → how many microseconds one is."""
_GROUP = 3


@dataclass(frozen=True)
class NumberStyle:
    """A number as an example shows it, such as ``$1,234.56``, ``1.234,56``, ``(987.65)`` or ``98%``.

    Attributes:
        example: the example.
    """

    example: str

    def problem(self) -> str | None:
        """What is wrong with the example; None where nothing is."""
        bodies = _BODY.findall(self._without_brackets)
        if len(bodies) != 1:
            return f"format= of a number is one as it is written, such as 1.234,56, not {self.example!r}"
        signs = set(bodies[0]) & set(_SIGNS)
        if len(signs) > 2 or (self.grouping and not re.fullmatch(self._whole, self._split(bodies[0])[0])):
            return f"format= groups digits in another way than by threes: {self.example!r}"
        return None

    @property
    def is_bracketed(self) -> bool:
        """Whether a negative number stands in brackets."""
        return "(" in self.example and ")" in self.example

    @cached_property
    def grouping(self) -> str:
        """What stands between groups of three digits; nothing where none does."""
        body = self._body
        found = [sign for sign in body if sign in _SIGNS]
        if not found:
            return ""
        if len(set(found)) > 1 or len(found) > 1 or len(body) - body.rindex(found[0]) - 1 == _GROUP:
            return found[0]
        return ""

    @cached_property
    def decimal(self) -> str:
        """What stands before the decimals."""
        signs = [sign for sign in self._body if sign in _SIGNS and sign != self.grouping]
        return signs[-1] if signs else ("," if self.grouping == "." else ".")

    def pattern(self, decimals: str) -> str:
        """A regular expression of Rust for the texts that are so written.

        Args:
            decimals: one for what stands behind the decimal sign, the sign included.
        """
        number = f"(?:{self._whole}|[0-9]+){decimals.replace('.', re.escape(self.decimal), 1)}"
        before, after = (re.escape(part) for part in self._around)
        plain = f"[+-]?{before}[+-]?{number}{after}"
        bracketed = rf"|\({before}{number}{after}\)|{before}\({number}\){after}" if self.is_bracketed else ""
        return f"^(?:{plain}{bracketed})$"

    def plain(self, text: pl.Expr) -> pl.Expr:
        """A text that is so written, as ``-1234.56`` is."""
        is_negative = text.str.contains("[-(]")
        digits = text
        for part in (*self._around, self.grouping):
            if part:
                digits = digits.str.replace_all(part, "", literal=True)
        digits = digits.str.replace_all("[()+-]", "")
        if self.decimal != ".":
            digits = digits.str.replace(self.decimal, ".", literal=True)
        return pl.when(is_negative).then(pl.lit("-") + digits).otherwise(digits)

    @cached_property
    def _without_brackets(self) -> str:
        return self.example.replace("(", "").replace(")", "")

    @cached_property
    def _body(self) -> str:
        found = _BODY.search(self._without_brackets)
        return found[0] if found else ""

    @cached_property
    def _around(self) -> tuple[str, str]:
        """What stands before and behind the number."""
        before, _, after = self._without_brackets.partition(self._body)
        return before.removeprefix("-").removeprefix("+"), after

    @property
    def _whole(self) -> str:
        return f"[0-9]{{1,3}}(?:{re.escape(self.grouping)}[0-9]{{3}})*" if self.grouping else "[0-9]+"

    def _split(self, body: str) -> tuple[str, str]:
        whole, _, rest = body.partition(self.decimal)
        return whole, rest


def truth_words(written: str) -> tuple[list[str], list[str]]:
    """The words for true and for false of a format such as ``yes/no`` or ``Y,S/N``, in lower case."""
    true, _, false = written.partition("/")
    return [word.strip().lower() for word in true.split(",")], [word.strip().lower() for word in false.split(",")]


def truth_problem(written: str) -> str | None:
    """What is wrong with such a format; None where nothing is."""
    true, false = truth_words(written)
    if written.count("/") != 1 or not all((*true, *false)) or set(true) & set(false):
        return f"format= of a truth value has the words for true and for false, such as yes/no, not {written!r}"
    return None
