"""What a column is, from all of its values: the type and way of writing that reads each of them, limits, value sets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from nequi_lake.datasets.casting import exact
from nequi_lake.datasets.reading import Reading
from nequi_lake.drafting.values import Counted

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
_MOST_TRUTHS = 4
_LOOKED_AT = 200
_LONGEST_TIME = 40
_NO_GROUPS = "(?:^|[^0-9.,])0[0-9]*,|,(?:[0-9]{1,2}|[0-9]{4,})(?:[^0-9]|$)"
"""In a text in which a comma stands between no groups of three digits."""
_ONE_GROUP = r"^[^0-9.,]*[1-9][0-9]{0,2}[.,][0-9]{3}[^0-9.,]*$"
"""A number of which nothing says whether it is one of three decimals, or a whole one in groups of three digits."""
_DIGITS_OF_A_DAY = 8
_MONEY = re.compile(
    "amount|balance|price|precio|importe|monto|saldo|revenue|salar"
    "|(?:^|_)(?:valor|value|cost|costs|costo|coste|fee|fees|fare|tax|tolls|tip|pago|payment|charge|cargo|profit)(?:_|$)"
)
"""In the name of a column of amounts of money, whose words are in lower case and parted by _."""
_CARRIED: dict[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Decimal(20, 0),
}
"""Types of raw values that the lake does not have, and those that keep each of their values."""


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


def draft_column(source: str, dtype: pl.DataType, counted: Counted | None, missing: float = 0.0) -> Drafted:
    """Propose a type for a column of raw values.

    Args:
        source: its name.
        dtype: the type of its raw values.
        counted: all of its values; None of one whose values are lists or objects.
        missing: of such a one the share of records without a value, 0 to 1.
    """
    if counted is None:
        return Drafted(source, dtype, None, missing, 0)
    if not counted.distinct:
        return Drafted(source, _carried(dtype), None, 1.0, 0, note="it has no value")
    return _of_texts(source, counted) if dtype == pl.String else _of_values(source, dtype, counted)


def _of_values(source: str, dtype: pl.DataType, counted: Counted) -> Drafted:
    """A column whose values have a type in the file: that, or the one of the lake that keeps each of them."""
    kept, note = _carried(dtype), ""
    if dtype.is_float() and counted.missing and _unread(_exactly(dtype, pl.Int64()), counted)[0] == 0:
        kept, note = pl.Int64(), "floating point numbers in the file, perhaps as some are missing: all are whole"
    value = pl.col("value")
    return Drafted(
        source,
        kept,
        None,
        counted.missing,
        counted.distinct,
        is_negative=bool(counted.ask((value < 0).any())[0]) if dtype.is_numeric() else None,
        unread=_unread(_exactly(dtype, kept), counted),
        note=note,
    )


def _carried(dtype: pl.DataType) -> pl.DataType:
    """The type of the lake that keeps the values of a type."""
    return pl.Datetime("us", dtype.time_zone) if isinstance(dtype, pl.Datetime) else _CARRIED.get(type(dtype), dtype)


def _exactly(dtype: pl.DataType, kept: pl.DataType) -> pl.Expr:
    value = exact(pl.col("value"), dtype, kept)
    return pl.col("value") if value is None else value


def _of_texts(source: str, counted: Counted) -> Drafted:
    most = math.floor((1 - _MANY) * counted.filled)
    best: Reading | None = None
    for reading in _candidates(source, counted):
        unread = _unread_records(reading.value(pl.col("value")), counted, most)
        if unread is not None:
            best, most = reading, unread - 1
        if unread == 0:
            break
    if best is None:
        return _text_column(source, counted)
    value = best.value(pl.col("value"))
    return Drafted(
        source,
        best.dtype,
        best.format,
        counted.missing,
        counted.distinct,
        is_negative=bool(counted.ask((value < 0).any())[0]) if best.dtype.is_numeric() else None,
        unread=_unread(value, counted) if most >= 0 else (0, ()),
        note=_doubt(best, counted),
    )


def _unread_records(value: pl.Expr, counted: Counted, most: int) -> int | None:
    """How many records have a text that is not read; None where these are more than ``most``."""
    unread = 0
    for part in counted.slices():
        unread += int(part.select(pl.col("records").filter(value.is_null()).sum()).item())
        if unread > most:
            return None
    return unread


def _unread(value: pl.Expr, counted: Counted) -> tuple[int, tuple[str, ...]]:
    """How many records have a value that is not read, and some of these values."""
    bad = counted.frame.filter(value.is_null())
    count, examples = (
        bad.select(pl.col("records").sum(), pl.col("value").cast(pl.String).head(3).implode())
        .collect(engine="streaming")
        .row(0)
    )
    return int(count), tuple(examples)


def _text_column(source: str, counted: Counted) -> Drafted:
    rarest = counted.ask(pl.col("records").min())[0]
    is_set = 1 < counted.distinct <= _MOST_OF_A_SET and rarest >= _RARE and not counted.padded
    values = counted.most_frequent(_MOST_OF_A_SET)["value"].sort() if is_set else ()
    enclosed = counted.ask(pl.col("records").filter(pl.col("value").str.contains("^'.*'$")).sum())[0]
    note = f"{counted.padded:,} values have spaces around them, which are a part of them" if counted.padded else ""
    if enclosed:
        note = f"{enclosed:,} values stand between ', which are a part of them unless quote= says so"
    return Drafted(source, pl.String(), None, counted.missing, counted.distinct, values=tuple(values), note=note)


def _candidates(source: str, counted: Counted) -> Iterator[Reading]:
    """Readings that may fit, the most particular first."""
    sample = counted.most_frequent(_LOOKED_AT)["value"]
    has_digits = bool(sample.str.contains("[0-9]").any())
    if counted.distinct <= _MOST_TRUTHS and not has_digits:
        yield from (Reading(pl.Boolean(), written) for written in _TRUTHS)
        return
    if not has_digits:
        return
    looks = _Looks(*counted.ask(*_Looks.questions()))
    if looks.has_leading_zeros and looks.are_digits:
        # An id, or a code: its zeros are a part of it.
        if looks.shortest == looks.longest == _DIGITS_OF_A_DAY:
            yield Reading(pl.Date(), "%Y%m%d")
        return
    is_money = looks.has_currency or looks.has_cents or _is_named_like_money(source)
    if looks.plain >= _MANY:
        yield from _numbers(counted, looks, is_money=is_money)
        return
    if looks.long <= 1 - _MANY:
        yield from _moments(sample)
    if looks.lettered <= 1 - _MANY:
        # A comma before three digits in every value stands between groups.
        yield from (
            Reading(dtype, style)
            for style in (_STYLES[1:] if looks.is_grouped else _STYLES)
            for dtype in (
                pl.Int64(),
                *((pl.Decimal(_DIGITS, 2), pl.Decimal(_DIGITS, _MOST_DECIMALS)) if is_money else ()),
                pl.Float64(),
            )
        )


def _is_named_like_money(source: str) -> bool:
    words = re.sub("([a-z0-9])([A-Z])", r"\1_\2", source).lower()
    return bool(_MONEY.search(re.sub(r"[\W_]+", "_", words)))


class _Looks(NamedTuple):
    """What all texts of a column look like.

    Attributes:
        shortest: characters of the shortest text.
        longest: characters of the longest one.
        has_leading_zeros: whether some are digits that begin with 0, after which others follow.
        are_digits: whether all are nothing but digits.
        are_days: whether all are digits of a day from 1900 to 2099.
        plain: the share of texts that may be numbers as programs write them.
        decimals: most digits behind a point, zeros at the end apart; None where no text has a point.
        has_exponent: whether some may be numbers with an exponent.
        long: the share of records whose text is too long for a time.
        lettered: the share of records whose text has letters.
        is_grouped: whether commas have three digits after them everywhere.
        has_currency: whether some have the sign of a currency.
        has_cents: whether all have two decimals.
    """

    shortest: int
    longest: int
    has_leading_zeros: bool
    are_digits: bool
    are_days: bool
    plain: float
    decimals: int | None
    has_exponent: bool
    long: float
    lettered: float
    is_grouped: bool
    has_currency: bool
    has_cents: bool

    @staticmethod
    def questions() -> Sequence[pl.Expr]:
        """What is asked of the values, for each attribute."""
        text, records = pl.col("value").str, pl.col("records")
        return [
            text.len_chars().min(),
            text.len_chars().max(),
            text.contains("^0[0-9]+$").any(),
            text.contains("^[0-9]+$").all(),
            text.contains("^(?:19|20)[0-9]{6}$").all(),
            text.contains(r"^[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?$").mean(),
            text.extract(r"\.([0-9]*?)0*$").str.len_chars().max(),
            text.contains("(?i)e").any(),
            records.filter(text.len_chars() > _LONGEST_TIME).sum() / records.sum(),
            records.filter(text.contains("[A-Za-z]")).sum() / records.sum(),
            text.contains(_NO_GROUPS).any().not_(),
            text.contains("[$€£¥]").any(),
            text.contains(r"[.,][0-9]{2}[^0-9]*$").all(),
        ]


def _numbers(counted: Counted, looks: _Looks, *, is_money: bool) -> Iterator[Reading]:
    for thousands, (written, (shortest, longest)) in enumerate(_EPOCHS.items()):
        is_long = looks.are_digits and shortest <= looks.shortest and looks.longest <= longest
        if is_long and counted.distinct > 1 and counted.ask(_WHOLE.min())[0] > _FIRST_SECOND * 1000**thousands:
            yield Reading(pl.Datetime("us"), written)
    if looks.are_days:
        yield Reading(pl.Date(), "%Y%m%d")
    yield Reading(pl.Int64())
    if not looks.has_exponent and looks.decimals is None:
        yield Reading(pl.Decimal(_MOST_DIGITS, 0))
    if is_money and not looks.has_exponent and looks.decimals is not None and looks.decimals <= _MOST_DECIMALS:
        yield Reading(pl.Decimal(_DIGITS, max(2, looks.decimals)))
    yield Reading(pl.Float64())


_WHOLE = pl.col("value").cast(pl.Int64, strict=False)
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


def _doubt(reading: Reading, counted: Counted) -> str:
    """What speaks against a reading that reads every value."""
    value = pl.col("value")
    if reading.format in _EPOCHS or (isinstance(reading.dtype, pl.Date) and reading.format == "%Y%m%d"):
        return "whole numbers, taken for times as all of them are of one length and of the last decades"
    if reading.dtype.is_numeric():
        has_sign = value.str.contains("[.,]")
        one_group, some = counted.ask((value.str.contains(_ONE_GROUP) | ~has_sign).all(), has_sign.any())
        return "what stands before the three digits may part groups, or begin decimals" if one_group and some else ""
    if reading.format and re.match("%-?[dm][/.-]%-?[dm]", reading.format):
        swapped = reading.format.translate(str.maketrans("dm", "md"))
        is_read = _unread_records(Reading(reading.dtype, swapped).value(value), counted, 0) == 0
        return f"every value can be read as {swapped} too" if is_read else ""
    return ""
