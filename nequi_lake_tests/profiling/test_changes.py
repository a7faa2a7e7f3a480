"""A report says what changed since the release before, and never compares a release with itself."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.profiling.profile import profile
from nequi_lake.profiling.report import Report, report
from nequi_lake_tests.profiling.tables import lake_table
from nequi_lake_tests.profiling.test_odd_tables import page_of

FIRST = pl.DataFrame({"size": ["s", "m", "l"], "price": [1.0, 2.0, None], "gone": [1, 2, 3], "same": [1, 2, 3]})
SECOND = pl.DataFrame({"size": ["s", "m", "xl", "s"], "price": [1.0, 2.0, 6.0, None], "new": [1, 2, 3, 4]})


def made(folder: Path, frame: pl.DataFrame, release: str, earlier: Report | bytes | None) -> Report:
    """The report of a release, made where that of ``earlier`` lies."""
    table = lake_table(folder, frame, release=release)
    content = earlier.files()["json"] if isinstance(earlier, Report) else earlier
    return report(table, profile(table), checks=[], earlier=content)


def test_the_first_report_says_that_it_is_the_first(tmp_path: Path) -> None:
    first = made(tmp_path, FIRST, "first", None)
    assert first.changes is None
    assert "This is the first release that was reported" in page_of(first)


def test_rows_columns_values_and_means_are_compared(tmp_path: Path) -> None:
    second = made(tmp_path, SECOND, "second", made(tmp_path, FIRST, "first", None))
    assert second.changes
    assert second.changes.rows == (3, 4)
    assert (second.changes.new_columns, second.changes.gone_columns) == (("new",), ("gone", "same"))
    changed = {change.column: change for change in second.changes.columns}
    assert (changed["size"].new_values, changed["size"].gone_values) == (("xl",), ("l",))
    assert changed["price"].mean == (1.5, 3.0)
    assert changed["price"].missing_share == pytest.approx((1 / 3, 1 / 4))
    page = page_of(second)
    assert "Since release first" in page
    assert "3 → 4 (+1)" in page
    assert "Distinct values" in page
    assert "Min and max" in page
    assert "<bdi>xl</bdi>" in page


def test_columns_as_they_were_are_only_counted(tmp_path: Path) -> None:
    second = made(tmp_path, FIRST, "second", made(tmp_path, FIRST, "first", None))
    assert second.changes
    assert (second.changes.columns, second.changes.unchanged) == ((), 5)


def test_the_same_release_again_compares_with_the_one_before(tmp_path: Path) -> None:
    first = made(tmp_path, FIRST, "first", None)
    assert made(tmp_path, FIRST, "first", first).changes is None
    second = made(tmp_path, SECOND, "second", first)
    again = made(tmp_path, SECOND, "second", made(tmp_path, SECOND, "second", second))
    assert again.changes == second.changes
    third = made(tmp_path, FIRST, "third", again)
    assert third.changes
    assert third.changes.before.release == "second"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b'{"release": "x"}', b"\xff", b'{"release": "x", "profile": 3}']
)
def test_a_report_that_cannot_be_read_is_none(tmp_path: Path, damage: bytes) -> None:
    assert made(tmp_path, FIRST, "first", damage).changes is None


def test_the_report_of_an_older_lake_is_compared_by_what_it_has(tmp_path: Path) -> None:
    told = json.loads(made(tmp_path, FIRST, "first", None).files()["json"])
    for name in ("before", "checks", "alerts", "missing_share"):
        del told[name]
    for column in told["profile"]:
        for name in ("values", "histogram", "sample", "skew", "correlations"):
            del column[name]
    second = made(tmp_path, SECOND, "second", json.dumps(told).encode())
    assert second.changes
    assert second.changes.rows == (3, 4)
    assert not any(change.new_values for change in second.changes.columns)
