"""What a column is, from all of its values: the type and way of writing that reads each of them, limits, value sets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from nequi_lake.datasets.reading import Reading

_TRUTHS = (None, "yes/no", "y/n", "t/f", "si,sí/no", "s/n")
_DATES = (
    *("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d"),
    *("%-d/%-m/%Y", "%-m/%-d/%Y", "%d-%b-%Y", "%b %d, %Y"),
)
_TIMES = ("%H:%M:%S", "%H:%M", "%-H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S%.f")
_DECIMAL_COMMA = "1234,56"
_STYLES = (
    *(_DECIMAL_COMMA, "1,234.56", "1.234,56", "1 234,56"),
    *("$1,234.56", "$ 1,234.56", "$1.234,56", "$ 1.234,56", "€ 1.234,56", "1.234,56 €"),
    *("(1,234.56)", "($1,234.56)", "98%", "98,5%", "98 %"),
)
_EPOCHS = {"epoch s": (9, 10), "epoch ms": (12, 13), "epoch us": (15, 16)}
_MANY = 0.98
"""A type is proposed where it reads at least this share of the values; a comment says which it does not."""
_MOST_OF_A_SET = 25
_RARE = 5
_DIGITS, _MOST_DIGITS = 18, 38
_MOST_DECIMALS = 4


@dataclass(frozen=True)
class Drafted:
    """What is proposed for a column.

    Attributes:
        source: the raw column.
        dtype: its type.
        format: how its values are written; None where that need not be said.
        missing: share of the records without a value, 0 to 1.
        distinct: how many values it has.
        values: all of them, where each is frequent; else none.
        is_negative: whether some are below 0; None for what is no number.
        unread: how many values the type does not read, and some of them.
        note: what is not sure.
    """

    source: str
    dtype: pl.DataType
    format: str | None
    missing: float
    distinct: int
    values: tuple[str, ...] = ()
    is_negative: bool | None = None
    unread: tuple[int, tuple[str, ...]] = (0, ())
    note: str = ""

    @property
    def null_limit(self) -> float | None:
        """The share that may be missing: somewhat more than is; None where none is."""
        return min(1.0, math.ceil(self.missing * 110) / 100) if self.missing else None


def draft_column(source: str, raw: pl.Series) -> Drafted:
    """Propose a type for a column of raw values.

    Args:
        source: its name.
        raw: all of its values: texts, or, of JSON, typed ones.
    """
    missing = raw.null_count() / len(raw) if len(raw) else 0.0
    if raw.dtype != pl.String:
        negative = bool((raw.drop_nulls() < 0).any()) if raw.dtype.is_numeric() else None
        distinct = 0 if raw.dtype.is_nested() else raw.n_unique()
        return Drafted(source, raw.dtype, None, missing, distinct, is_negative=negative)
    texts = raw.drop_nulls().str.strip_chars(" \t")
    blank = (texts == "").sum()
    missing = (raw.null_count() + int(blank)) / len(raw) if len(raw) else 0.0
    counts = texts.filter(texts != "").alias("value").value_counts(sort=True, name="records")
    values, count = counts["value"], counts["records"]
    if not len(values):
        return Drafted(source, pl.String(), None, 1.0, 0, note="it has no value")
    best, best_share = None, 0.0
    for reading in _candidates(values):
        read = values.to_frame("raw").select(reading.value(pl.col("raw"))).to_series()
        share = int(count.filter(read.is_not_null()).sum()) / int(count.sum())
        if share > best_share:
            best, best_share = (reading, read), share
        if share == 1.0:
            break
    if best is None or best_share < _MANY:
        return _text_column(source, values, count, missing)
    reading, read = best
    bad = values.filter(read.is_null())
    return Drafted(
        source,
        reading.dtype,
        reading.format,
        missing,
        len(values),
        is_negative=bool((read.drop_nulls() < 0).any()) if reading.dtype.is_numeric() else None,
        unread=(int(count.filter(read.is_null()).sum()), tuple(bad.head(3))),
        note=_doubt(reading, values),
    )


def _text_column(source: str, values: pl.Series, count: pl.Series, missing: float) -> Drafted:
    is_set = 1 < len(values) <= _MOST_OF_A_SET and int(count.min() or 0) >= _RARE  # type: ignore[arg-type]
    return Drafted(source, pl.String(), None, missing, len(values), values=tuple(sorted(values)) if is_set else ())


def _candidates(values: pl.Series) -> Iterator[Reading]:
    """Readings that may fit, the most particular first."""
    sample = values.head(200)
    looks = "".join(sample)
    if len(values) <= 4 and not any(letter.isdigit() for letter in looks):
        yield from (Reading(pl.Boolean(), written) for written in _TRUTHS)
        return
    if not any(letter.isdigit() for letter in looks):
        return
    if _has_leading_zeros(values):
        # An id, or a code: its zeros are a part of it.
        if bool(values.str.len_chars().n_unique() == 1) and len(values[0]) == 8:
            yield Reading(pl.Date(), "%Y%m%d")
        return
    is_plain = values.str.contains(r"^[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?$").mean()
    if is_plain and float(is_plain) >= _MANY:  # type: ignore[arg-type]
        yield from _numbers(values)
        return
    yield from _moments(sample)
    # A comma before three digits in every value stands between groups.
    groups = not bool(values.str.contains(",(?:[0-9]{1,2}|[0-9]{4,})(?:[^0-9]|$)").any())
    yield from (
        Reading(dtype, style)
        for style in (_STYLES[1:] if groups else _STYLES)
        for dtype in (pl.Int64(), pl.Decimal(_DIGITS, 2), pl.Decimal(_DIGITS, _MOST_DECIMALS), pl.Float64())
    )


def _numbers(values: pl.Series) -> Iterator[Reading]:
    lengths = values.str.len_chars()
    for written, (shortest, longest) in _EPOCHS.items():
        numbers = values.cast(pl.Int64, strict=False)
        is_recent = numbers.is_not_null().all() and lengths.min() >= shortest and lengths.max() <= longest  # type: ignore[operator]
        if is_recent and len(values) > 1 and numbers.min() > _FIRST_SECOND * 10 ** (3 * list(_EPOCHS).index(written)):
            yield Reading(pl.Datetime("us"), written)
    if lengths.min() == lengths.max() == 8 and values.str.contains("^(?:19|20)[0-9]{6}$").all():
        yield Reading(pl.Date(), "%Y%m%d")
    yield Reading(pl.Int64())
    decimals = values.str.extract(r"\.([0-9]*?)0*$").str.len_chars().max()
    has_exponent = values.str.contains("(?i)e").any()
    if not has_exponent and decimals is None:
        yield Reading(pl.Decimal(_MOST_DIGITS, 0))
    if not has_exponent and isinstance(decimals, int) and decimals <= _MOST_DECIMALS:
        yield Reading(pl.Decimal(_DIGITS, max(2, decimals)))
    yield Reading(pl.Float64())


_FIRST_SECOND = 631_152_000
"""1990: counts of seconds since 1970 that are lower are taken for other numbers."""


def _moments(sample: Sequence[str] | pl.Series) -> Iterator[Reading]:
    yield Reading(pl.Date())
    yield Reading(pl.Datetime("us"))
    yield Reading(pl.Datetime("us", "UTC"))
    for date in _DATES[1:]:
        yield Reading(pl.Date(), date)
    first = str(sample[0])
    for date in _DATES:
        for between in (" ", "T", ", "):
            if between in first:
                yield from (Reading(pl.Datetime("us"), f"{date}{between}{time}") for time in _TIMES)


def _has_leading_zeros(values: pl.Series) -> bool:
    return bool(values.str.contains("^0[0-9]+$").any()) and bool(values.str.contains("^[0-9]+$").all())


def _doubt(reading: Reading, values: pl.Series) -> str:
    """What speaks against a format of dates: both orders of day and month read every value."""
    if reading.format is None or not re.match("%-?[dm][/.-]%-?[dm]", reading.format):
        return ""
    swapped = reading.format.translate(str.maketrans("dm", "md"))
    read = values.to_frame("raw").select(Reading(reading.dtype, swapped).value(pl.col("raw"))).to_series()
    return f"every value can be read as {swapped} too" if read.null_count() == 0 else ""
