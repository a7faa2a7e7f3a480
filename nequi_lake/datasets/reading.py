"""How the text of a raw field becomes a value: one way for each type, and what it accepts in words.

A reading changes no value. A text that does not stand for exactly one value of the type gives null, so that its record
breaks a rule; a floating point number is the nearest one, as everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from nequi_lake.datasets.writing import EPOCHS, NumberStyle, truth_problem, truth_words
from nequi_lake.formats.types import EXACT_WHOLE, integer_bounds

_SPACES = " \t"
_TWO = "[0-9]{2}"
_DIRECTIVES = {
    "%Y": "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)",
    "%m": "(?:0[1-9]|1[0-2])",
    "%-m": "(?:0?[1-9]|1[0-2])",
    "%b": "[A-Za-z]{3}",
    "%d": "(?:0[1-9]|[12][0-9]|3[01])",
    "%-d": "(?:0?[1-9]|[12][0-9]|3[01])",
    "%H": "(?:[01][0-9]|2[0-3])",
    "%-H": "(?:[01]?[0-9]|2[0-3])",
    "%I": "(?:0[1-9]|1[0-2])",
    "%-I": "(?:0?[1-9]|1[0-2])",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
    "%.f": "",
    "%p": "(?:[AaPp][Mm])",
    "%z": f"(?:[+-]{_TWO}:?{_TWO})",
}
"""What a format may have, and the texts that it stands for. The fraction of a second depends on the column's unit."""
_DIRECTIVE = re.compile(r"%[-.]?[A-Za-z%]")
_FRACTION_DIGITS = {"ms": 3, "us": 6}
_DATE = "%Y-%m-%d"
_MICROSECONDS_A_DAY = 86_400_000_000
_LAST_MICROSECOND = 2**62
_NOT_WHOLE = "(?i)e|inf|nan"
"""In the text of a number that is no whole one written out, whatever its size."""
_DATETIME = "%Y-%m-%dT%H:%M:%S%.f"


@dataclass(frozen=True)
class Reading:
    """How texts are read as values of one type.

    Attributes:
        dtype: the type.
        format: how the values are written: dates and times in the directives of ``strptime``, or as ``epoch ms``;
            numbers as an example, such as ``1.234,56``; truth values in words, such as ``yes/no``. None for ISO 8601,
            a number as programs write it, and true or false.
    """

    dtype: pl.DataType
    format: str | None = None

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        written = f" written as {self.format}" if self.format else ""
        match self.dtype:
            case pl.String():
                return "any text"
            case pl.Boolean():
                return f"{self.format or 'true or false'}, in any case"
            case pl.Date():
                return f"a date written as {self.format or 'YYYY-MM-DD'}"
            case pl.Datetime():
                return f"a date and time written as {self.format or self._iso_words}"
            case pl.Decimal():
                whole, scale = self.dtype.precision - self.dtype.scale, self.dtype.scale
                return f"a number{written} of at most {whole} digits before the point and {scale} after it"
            case dtype if dtype.is_integer():
                low, high = integer_bounds(dtype)
                return f"a whole number{written} from {low} to {high}"
            case dtype if dtype.is_float():
                return f"a number{written}; a whole one of more digits than it keeps belongs into Decimal or Int64"
            case dtype:
                return f"a value of the type {dtype}"

    def value(self, raw: pl.Expr, *, fast: bool = False) -> pl.Expr:
        """The value of a raw text; null where it cannot be read.

        Args:
            raw: text.
            fast: read numbers without looking for spaces and odd ways of writing, at half of the cost. What this
                reads is right; it gives null for some texts that can be read.
        """
        is_fast = fast and self.dtype.is_numeric() and self.format is None
        text = raw if is_fast else raw.str.strip_chars(_SPACES)
        if self.format and self.dtype.is_numeric():
            style = NumberStyle(self.format)
            text = style.plain(pl.when(text.str.contains(style.pattern(self._decimals))).then(text))
        if self.format in EPOCHS:
            return self._since_1970(text)
        match self.dtype:
            case pl.Boolean():
                lower = text.str.to_lowercase()
                true, false = truth_words(self.format or "true/false")
                return pl.when(lower.is_in(true)).then(True).when(lower.is_in(false)).then(False)
            case pl.Date():
                return self._as_written(text).str.to_date(self.format or _DATE, strict=False)
            case pl.Datetime():
                return self._datetime(text)
            case pl.Decimal():
                return self._as_written(text).cast(self.dtype, strict=False)
            case dtype if dtype.is_integer():
                whole = text.str.strip_suffix(".0") if is_fast else text.str.replace(r"\.0*$", "")
                return whole.cast(dtype, strict=False)
            case dtype if dtype.is_float():
                value = text.cast(dtype, strict=False)
                is_exact = value.abs() < EXACT_WHOLE[type(dtype)]
                return pl.when(is_exact if is_fast else is_exact | text.str.contains(_NOT_WHOLE)).then(value)
            case dtype:
                return raw.cast(dtype, strict=False)

    def problem(self) -> str | None:
        """What is wrong with the format; None where nothing is."""
        if self.format is None:
            return None
        if isinstance(self.dtype, pl.Boolean):
            return truth_problem(self.format)
        if self.dtype.is_numeric():
            return NumberStyle(self.format).problem()
        if not self.dtype.is_temporal():
            return f"format= is for numbers, truth values, dates and times, not for {self.dtype}"
        if self.format in EPOCHS:
            return None
        used = _DIRECTIVE.findall(self.format)
        if "%y" in used:
            return "%y has no century; parse a year of two digits with an expression that says which"
        unknown = [directive for directive in used if directive not in _DIRECTIVES]
        if unknown:
            return f"format= has {', '.join(unknown)}; it may have {', '.join(_DIRECTIVES)}"
        found = {directive.replace("-", "") for directive in used}
        lacking = [name for name in ("%Y", "%d") if name not in found]
        lacking += [] if found & {"%m", "%b"} else ["%m"]
        if found & {"%M", "%S", "%p"} and not found & {"%H", "%I"}:
            lacking.append("%H")
        if found & {"%H", "%I"} and "%M" not in found:
            lacking.append("%M")
        if "%I" in found and "%p" not in found:
            lacking.append("%p")
        is_zoned = isinstance(self.dtype, pl.Datetime) and self.dtype.time_zone is not None
        lacking += ["%z"] if is_zoned and "%z" not in found else []
        if lacking:
            return f"format= lacks {', '.join(lacking)}"
        if "%z" in found and not is_zoned:
            return 'format= has %z, so the column is dy.Datetime(time_zone="UTC")'
        return None

    @property
    def _iso_words(self) -> str:
        return "YYYY-MM-DDTHH:MM:SS" + ("Z, or with an offset such as +02:00" if self._time_zone else "")

    @property
    def _time_zone(self) -> str | None:
        return self.dtype.time_zone if isinstance(self.dtype, pl.Datetime) else None

    @property
    def _fraction(self) -> str:
        digits = _FRACTION_DIGITS.get(getattr(self.dtype, "time_unit", ""), 6)
        return rf"(?:\.[0-9]{{1,{digits}}}0*)?"

    @property
    def _decimals(self) -> str:
        """What may stand behind a whole number, the point included, as a regular expression."""
        if isinstance(self.dtype, pl.Decimal):
            return rf"(?:.[0-9]{{0,{self.dtype.scale}}}0*)?"
        return "(?:.0*)?" if self.dtype.is_integer() else "(?:.[0-9]*)?"

    @property
    def _pattern(self) -> str:
        """The texts that can stand for a value; the engine's own parsers take more, and change what they take."""
        if isinstance(self.dtype, pl.Decimal):
            return rf"^[+-]?[0-9]*{self._decimals.replace('.', '[.]', 1)}$"
        written = self.format or (_DATE if isinstance(self.dtype, pl.Date) else _DATETIME)
        known = {**_DIRECTIVES, "%.f": self._fraction}
        parts, end = [], 0
        for found in _DIRECTIVE.finditer(written):
            parts += [re.escape(written[end : found.start()]), known[found[0]]]
            end = found.end()
        pattern = "".join([*parts, re.escape(written[end:])])
        if self.format is None and isinstance(self.dtype, pl.Datetime):
            offset = f"(?:[Zz]|{known['%z']})" if self._time_zone else ""
            pattern = pattern.replace("T", "[T ]") + offset
        return f"^{pattern}$"

    def _since_1970(self, text: pl.Expr) -> pl.Expr:
        """The moment, or the day that begins then, so long after the beginning of 1970 in UTC."""
        assert self.format is not None
        count = pl.when(text.str.contains(r"^-?[0-9]{1,17}$")).then(text).cast(pl.Int64, strict=False)
        one = EPOCHS[self.format]
        count = pl.when(count.abs() < _LAST_MICROSECOND // one).then(count) * one
        if isinstance(self.dtype, pl.Date):
            days = count // _MICROSECONDS_A_DAY
            return pl.when(days * _MICROSECONDS_A_DAY == count).then(days).cast(pl.Int32).cast(pl.Date)
        assert isinstance(self.dtype, pl.Datetime)
        moment = count.cast(pl.Datetime("us"))
        kept = moment.cast(pl.Datetime(self.dtype.time_unit))
        within = moment.dt.year().is_between(1, 9999) & (kept.cast(pl.Datetime("us")) == moment)
        kept = pl.when(within).then(kept)
        return kept.dt.replace_time_zone(self._time_zone) if self._time_zone else kept

    def _as_written(self, text: pl.Expr) -> pl.Expr:
        return pl.when(text.str.contains(self._pattern)).then(text)

    def _datetime(self, text: pl.Expr) -> pl.Expr:
        assert isinstance(self.dtype, pl.Datetime)
        text = self._as_written(text)
        if self.format is not None and "%H" not in self.format.replace("-", "") and "%I" not in self.format:
            return text.str.to_date(self.format, strict=False).cast(self.dtype)
        if self.format is None:
            text = text.str.replace(" ", "T", literal=True)
            if self._time_zone:
                text = text.str.replace("[Zz]$", "+00:00")
        written = self.format or (_DATETIME + "%z" if self._time_zone else _DATETIME)
        value = text.str.to_datetime(written, time_unit=self.dtype.time_unit, time_zone=self._time_zone, strict=False)
        # An offset may lead out of the years that there are.
        return pl.when(value.dt.year().is_between(1, 9999)).then(value) if self._time_zone else value
