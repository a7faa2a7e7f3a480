"""What the cells of a workbook say, as texts; and what says nothing that can be read."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from openpyxl.styles.numbers import is_datetime
from openpyxl.utils.datetime import MAC_EPOCH
from openpyxl.utils.escape import unescape

NOTHING = ("", " ")
"""Texts that are missing values, as in a CSV file."""
_WHOLE_IN_FLOAT = 2**53
_SMALLEST_WRITTEN_OUT = 1e-15
_LITERALS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
"""What a number format shows as it stands, and its colours and languages."""
_FIRST_SURE_DAY = dt.datetime(1900, 3, 1)


class UnreadableCellError(Exception):
    """A cell has no value that can be read; the text says why."""


def text_of(value: Any, kind: str, number_format: str, epoch: dt.datetime, *, is_measure: bool) -> str | None:
    """The text of a cell; None where it has no value.

    Args:
        value: what it has.
        kind: the type of that in openpyxl's letters.
        number_format: how Excel shows it.
        epoch: the day from which the workbook counts days.
        is_measure: whether it may be a whole number that is too large to be exact.

    Raises:
        UnreadableCellError: it has an error, or none that can be relied on.
    """
    if kind == "f":
        raise UnreadableCellError("a formula that no program has computed: open the workbook in Excel, and save it")
    if value is None:
        return None
    if kind == "e":
        raise UnreadableCellError(f"the error {value}")
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value, is_measure)
        case dt.datetime():
            if epoch != MAC_EPOCH and value < _FIRST_SURE_DAY:
                raise UnreadableCellError("a day before March 1900, which programs count differently")
            is_day = is_datetime(_LITERALS.sub("", number_format).lower()) == "date" and value.time() == dt.time()
            return value.date().isoformat() if is_day else value.isoformat()
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return _duration(value)
    text = unescape(str(value))
    if not _is_unicode(text):
        raise UnreadableCellError("a character that is none of Unicode")
    return None if text in NOTHING else text


def _number(value: float, is_measure: bool) -> str:
    """A number without an exponent, as far as that is no riddle: as Excel shows it where its format is general."""
    is_whole = isinstance(value, int) or value.is_integer()
    if is_whole and abs(value) >= _WHOLE_IN_FLOAT:
        if not is_measure:
            raise UnreadableCellError(
                f"the number {float(value):G}, of which a workbook keeps 15 digits: identifiers have to be texts"
            )
        return repr(float(value))
    if is_whole:
        return str(int(value))
    written = repr(value)
    return format(Decimal(written), "f") if abs(value) >= _SMALLEST_WRITTEN_OUT else written


def _duration(value: dt.timedelta) -> str:
    """Hours, minutes and seconds, of any number of hours."""
    sign, whole = ("-", -value) if value < dt.timedelta() else ("", value)
    hours, rest = divmod(whole, dt.timedelta(hours=1))
    minutes, seconds = divmod(rest, dt.timedelta(minutes=1))
    fraction = f".{seconds.microseconds:06}".rstrip("0") if seconds.microseconds else ""
    return f"{sign}{hours:02}:{minutes:02}:{seconds.seconds:02}{fraction}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
