"""How a raw value of one type becomes a value of another: it is the same value, or none."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from nequi_lake.formats.types import EXACT_WHOLE

_LAST_YEAR = 9999
_DIGITS_IN_FLOAT: Mapping[type[pl.DataType], int] = {pl.Float64: 15, pl.Float32: 6}


def exact(raw: pl.Expr, origin: pl.DataType, target: pl.DataType) -> pl.Expr | None:
    """The same value in another type, null where that does not have it; None where values are read from their text.

    Args:
        raw: the value.
        origin: its type.
        target: the type that it should have.
    """
    if origin.is_temporal() and target.is_temporal():
        return _moment(raw, origin, target)
    if origin == target:
        return None if target == pl.String else raw
    if not (origin.is_numeric() and target.is_numeric()):
        return None
    if origin.is_float() and isinstance(target, pl.Decimal):
        return None
    if isinstance(origin, pl.Decimal) and target.is_float():
        return raw.cast(target, strict=False)
    if origin.is_float() and target.is_float():
        # The nearest one, but for a number that is too large.
        value = raw.cast(target, strict=False)
        return pl.when(value.is_infinite() == raw.is_infinite()).then(value)
    if origin.is_float() and target.is_integer():
        raw = pl.when(raw.abs() < EXACT_WHOLE[type(origin)]).then(raw)
    value = raw.cast(target, strict=False)
    is_same = value.cast(origin, strict=False).eq_missing(raw)
    return pl.when(is_same).then(value)


def _moment(raw: pl.Expr, origin: pl.DataType, target: pl.DataType) -> pl.Expr:
    """The same day or time; of years that nothing else reads, none."""
    value = raw.cast(target, strict=False)
    is_same = (value.cast(origin, strict=False) == raw) & raw.dt.year().is_between(1, _LAST_YEAR)
    return pl.when(is_same).then(value)


def as_text(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The text of a raw value; of days and times that of ISO 8601."""
    return raw.dt.to_string("iso:strict") if dtype.is_temporal() else raw.cast(pl.String)


def casting_problem(origin: pl.DataType, target: pl.DataType) -> str | None:
    """Why no value of one type is one of another by itself, in words that end a sentence; None where some are."""
    if origin != target and (origin.is_nested() or target.is_nested()):
        return "give it a parse="
    if origin.is_temporal() and target.is_temporal() and _is_zoned(origin) != _is_zoned(target):
        return "a time of no zone is no moment: give it a parse= that says which zone is meant"
    digits = _DIGITS_IN_FLOAT.get(type(origin))
    if digits and isinstance(target, pl.Decimal) and target.precision > digits:
        return f"which keeps {digits} digits: let the file have texts"
    return None


def _is_zoned(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
