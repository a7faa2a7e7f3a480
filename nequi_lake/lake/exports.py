"""Values on their way into files that a spreadsheet may open."""

from __future__ import annotations

import re
from typing import TypeVar

V = TypeVar("V")

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def harmless(value: V) -> V | str:
    """The value, behind an apostrophe where a spreadsheet would run it as a formula; numbers stay as they are.

    Source of the rule: OWASP, CSV Injection.
    """
    if isinstance(value, str) and value.startswith(_BEGINS_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
