"""Human-readable figures, the same in the reports, the index and the Dagster UI."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

NAMES = ("id", "code")
"""Units of numbers that are names: they have no mean, and no two of them are near each other."""
_NOT_GROUPED = (*NAMES, "year")
"""Units of numbers that are read as they are: 2011 is a year, 2,011 is a count."""


def number_text(value: float | None, unit: str = "") -> str:
    """A number with at most six digits that matter; nothing where it is missing."""
    if value is None or math.isnan(value):
        return ""
    if unit in _NOT_GROUPED:
        return f"{value:.12g}" if value == int(value) else f"{value:.1f}"
    if abs(value) >= 1e15 or 0 < abs(value) < 1e-4:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:,.6g}"


def extreme_text(value: str | None, unit: str = "") -> str:
    """The min or max number, which a profile has as text."""
    return "" if value is None else number_text(float(value), unit)


def count_text(value: int) -> str:
    """A count."""
    return f"{value:,}"


def share_text(share: float) -> str:
    """A share, 0 to 1, in percent: never 0 % where there is something, nor 100 % where something lacks."""
    percent = 100 * share
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if 99.99 < percent < 100:
        return "> 99.99 %"
    return f"{percent:.2f} %" if 0 < percent < 1 or 99 < percent < 100 else f"{percent:.3g} %"


def correlation_text(value: float) -> str:
    """A correlation, -1 to 1: 1 only where it is 1."""
    sign, size = "−" if value < 0 else "+", abs(value)
    if size == 1 or f"{size:.2f}" != "1.00":
        return f"{sign}{size:.2f}"
    if f"{size:.3f}" != "1.000":
        return f"{sign}{size:.3f}"
    return f"{'<' if value < 0 else '>'} {sign}0.999"


def change_text(was: float, now: float) -> str:
    """By how many percent a number changed; nothing where that rounds to none, or cannot be said."""
    percent = f"{100 * (now - was) / abs(was):+,.1f}" if was else ""
    return f"{percent} %" if percent.strip("+-0.") else ""


def size_text(size_bytes: int) -> str:
    """A size in decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(iso: str) -> str:
    """An ISO time to the minute, in UTC."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def date_text(seconds: float) -> str:
    """The day of a time in seconds since 1970."""
    # Not fromtimestamp, which knows no years before 1 and fails there.
    try:
        return f"{datetime(1970, 1, 1) + timedelta(seconds=seconds):%Y-%m-%d}"
    except OverflowError:
        return "?"


def cut(text: str, length: int) -> str:
    """The text, its end left out where it is longer than ``length`` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
