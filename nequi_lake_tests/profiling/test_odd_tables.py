"""A table may be empty, wide, hostile or right to left: its report is good all the same."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from nequi_lake import LakeTable
from nequi_lake.lake.check import Check
from nequi_lake.profiling.markdown import COLUMNS_SHOWN, markdown
from nequi_lake.profiling.profile import TOP, profile, read_profile
from nequi_lake.profiling.report import Report, report
from nequi_lake_tests.profiling.tables import lake_table, problems

HOSTILE = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><h1>gone",
    "=HYPERLINK(1)",
    "{{ 7 * 7 }} {% raw %}",
    "| a | [click](javascript:alert(1)) | `x`",
    "\x00 \x1b[31m",
]


def reported(table: LakeTable, checks: list[Check] | None = None, earlier: bytes | None = None) -> Report:
    """The report of a table."""
    return report(table, profile(table), checks=checks or [], earlier=earlier)


def page_of(made: Report) -> str:
    """The page of a report, sound and small as every page must be."""
    page = made.files()["html"]
    assert len(page) < 2_000_000
    assert problems(page.decode()) == []
    return page.decode()


def test_text_of_the_data_stays_text(tmp_path: Path) -> None:
    table = lake_table(tmp_path, pl.DataFrame({"text": HOSTILE * 3}))
    broken = Check(name="unique_key", subject="t.t", passed=False, found=HOSTILE[0], numbers={"x": HOSTILE[1]})
    made = reported(table, [broken])
    page = page_of(made)
    assert page.count("<script") == page.count("<h1") == 1
    assert "<img" not in page
    assert "&lt;script&gt;alert(" in page
    assert "{{ 7 * 7 }}" in page
    rows = list(csv.reader(io.StringIO(made.files()["csv"].decode())))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]
    assert json.loads(made.files()["json"])["profile"][1]["top"][0][1] == 3
    told = markdown(made)
    assert "<" not in told
    assert "| column | type | missing | distinct | min | mean | max |" in told
    (line,) = [line for line in told.splitlines() if line.startswith("| text ")]
    assert line.count("|") == 8
    assert "](" not in told


def test_a_value_of_ten_thousand_characters_is_cut_and_counted(tmp_path: Path) -> None:
    table = lake_table(tmp_path, pl.DataFrame({"text": ["x" * 10_000, "y"]}))
    made = reported(table)
    page = page_of(made)
    assert len(page) < 60_000
    assert "xxxxx…" in page
    assert "1 to 10,000 characters" in page
    assert max(map(len, made.files()["json"].decode().splitlines())) < 1_000


def test_texts_that_begin_alike_are_distinct_values(tmp_path: Path) -> None:
    table = lake_table(tmp_path, pl.DataFrame({"text": ["x" * 500 + "a", "x" * 500 + "b", "x" * 500 + "b"]}))
    (text,) = [column for column in profile(table) if column.column == "text"]
    assert text.distinct == 2
    assert [count for _, count in text.top] == [2, 1]


def test_right_to_left_text_does_not_turn_the_page(tmp_path: Path) -> None:
    arabic = "مرحبا بالعالم 123"
    page = page_of(reported(lake_table(tmp_path, pl.DataFrame({"text": [arabic, arabic, "\u202eabc"]}))))
    assert page.count(arabic) == page.count(f"<bdi>{arabic}</bdi>") > 0
    assert page.count("\u202e") == page.count("<bdi>\u202eabc</bdi>") > 0


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    schema = {"number": pl.Int64, "text": pl.String, "day": pl.Date, "share": pl.Float64, "flag": pl.Boolean}
    made = reported(lake_table(tmp_path, pl.DataFrame(schema=schema)))
    page = page_of(made)
    assert [alert.kind for alert in made.alerts] == ["No rows"]
    assert "The table has no rows." in page
    assert [(c.count, c.missing, c.distinct, c.missing_share) for c in made.columns] == [(0, 0, 0, 0.0)] * 6


def test_a_table_of_one_row(tmp_path: Path) -> None:
    made = reported(
        lake_table(tmp_path, pl.DataFrame({"number": [7], "day": [date(2024, 2, 29)], "text": ["one"], "flag": [True]}))
    )
    page = page_of(made)
    number = made.columns[1]
    assert (number.mean, number.std, number.skew, number.median) == (7.0, None, None, 7.0)
    assert all(f"<dt>{label}</dt><dd>" in page for label in ("Distinct", "Min", "Max"))
    assert "2024-02-29" in page
    assert "1 evenly spread row;" in page


def test_columns_without_any_value(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"number": [None, None], "text": [None, None], "day": [None, None], "kept": [1.5, 2.5]},
        schema={"number": pl.Float64, "text": pl.String, "day": pl.Date, "kept": pl.Float64},
    )
    made = reported(lake_table(tmp_path, frame))
    page_of(made)
    (empty,) = [alert for alert in made.alerts if alert.kind == "Empty"]
    assert [name for name, _ in empty.columns] == ["number", "text", "day"]
    assert "Mostly missing" not in {alert.kind for alert in made.alerts}


def test_two_hundred_columns_are_one_small_page(tmp_path: Path) -> None:
    values = pl.int_range(300, eager=True)
    frame = pl.DataFrame({f"a_rather_long_name_of_column_{n}": (values * n % 97) * 1.25 for n in range(1, 201)})
    made = reported(lake_table(tmp_path, frame))
    page = page_of(made)
    assert page.count("<article") == 201
    assert len(json.loads(made.files()["json"])["profile"]) == 201
    told = markdown(made)
    assert told.count("\n| a_rather") + told.count("\n| a&#95;rather") < COLUMNS_SHOWN
    assert "161 more columns" in told


def test_extreme_numbers_and_days(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "number": [-(2**63), 2**63 - 1, 0],
            "share": [1e300, -1e300, 1e-300],
            "same": [0.1, 0.1, 0.1],
            "day": [date(1, 1, 1), date(9999, 12, 31), date(2000, 1, 1)],
        }
    )
    made = reported(lake_table(tmp_path, frame))
    page = page_of(made)
    assert "0001-01-01" in page
    assert "9999-12-31" in page
    same = made.columns[3]
    assert same.histogram is not None
    assert sum(same.histogram.counts) == 3


def test_amounts_are_described_as_other_numbers_are_and_kept_exactly(tmp_path: Path) -> None:
    fees = [Decimal(0)] * 97 + [Decimal("0.0000000001"), Decimal("12345678.0000000001"), None]
    table = lake_table(tmp_path, pl.DataFrame({"fee": pl.Series(fees, dtype=pl.Decimal(18, 10))}))
    made = reported(table)
    (_, fee) = made.columns
    assert (fee.type, fee.min, fee.max) == ("decimal(18,10)", "0.0000000000", "12345678.0000000001")
    assert fee.top[0] == ("0.0000000000", 97)
    assert (fee.distinct, fee.zeros, fee.negatives, fee.missing) == (3, 97, 0, 1)
    assert fee.mean == pytest.approx(12345678 / 99)
    assert fee.histogram
    assert sum(fee.histogram.counts) + fee.histogram.above == 99
    assert ("fee", "0 in 98 %") in [column for alert in made.alerts for column in alert.columns]
    assert page_of(made)
    assert read_profile(made.files()["json"]) == [*made.columns]


def test_what_stands_out_is_said(tmp_path: Path) -> None:
    rows = 2000
    frame = pl.DataFrame(
        {
            "far": [*range(1, rows), 10**9],
            "mostly": [1.0] * 5 + [None] * (rows - 5),
            "one": ["a"] * rows,
            "prevails": ["x"] * (rows - 3) + ["y"] * 3,
            "many": [f"name {n}" for n in range(rows)],
            "blank": [" "] + ["b", "c"] * (rows // 2 - 1) + ["d"],
            "calm": [n % 10 for n in range(rows)],
        }
    )
    made = reported(lake_table(tmp_path, frame, quarantined=20))
    found = {alert.kind: [name for name, _ in alert.columns] for alert in made.alerts}
    assert found == {
        "Quarantined": [],
        "Constant": ["mostly", "one"],
        "Mostly missing": ["mostly"],
        "One value prevails": ["prevails"],
        "Outliers": ["far"],
        "Skewed": ["far"],
        "High cardinality": ["many"],
        "Blank text": ["blank"],
    }
    page = page_of(made)
    assert "20 of 2,020 raw records (0.99 %) were put aside" in page
    assert "1,000,000,000, beside a median of 1,000.5" in page


def test_a_table_that_no_raw_file_gave_speaks_of_none(tmp_path: Path) -> None:
    made = report(
        table := lake_table(tmp_path, pl.DataFrame({"n": [1, 2]}), raw=False),
        profile(table),
        checks=[],
        earlier=None,
    )
    page = page_of(made)
    assert "Quarantined" not in page
    assert "Raw records" not in page
    assert json.loads(made.files()["json"])["quarantined"] is None


def test_histograms_of_a_large_table_are_labelled_as_of_a_part(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": pl.int_range(5000, eager=True) % 100})
    table = lake_table(tmp_path, frame)
    made = report(table, profile(table, spread_rows=1000), checks=[], earlier=None)
    histogram = made.columns[1].histogram
    assert histogram is not None
    assert (histogram.rows, histogram.exact) == (1000, False)
    assert "Histograms and skew are those of 1,000 evenly spread rows." in page_of(made)


@pytest.mark.parametrize("passed", [True, False])
def test_the_page_says_whether_the_contract_is_kept(tmp_path: Path, passed: bool) -> None:
    check = Check(name="null_limits", subject="t.t", passed=passed, found="2 % of at most 1 %", numbers={"limit": 0.01})
    page = page_of(reported(lake_table(tmp_path, pl.DataFrame({"n": [1, 2]})), [check]))
    assert ("✓ Contract kept" in page) is passed
    assert ("✗ Contract not kept" in page) is not passed
    assert "2 % of at most 1 %" in page
    assert "limit: 1 %" in page


def test_zeros_infinities_and_blanks_of_any_kind(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "share": [-0.0, 0.0, 1.0, float("inf"), float("nan"), float("nan"), None],
            "far": [float("-inf"), float("-inf"), 1.0, float("inf"), float("inf"), None, None],
            "flag": [True, False, None, True, True, None, None],
            "text": ["", " \t", "\u00a0\u2003", "a ", "é", "\x1f", None],
        }
    )
    made = reported(lake_table(tmp_path, frame))
    page_of(made)
    share, far, flag, text = made.columns[1:]
    assert (share.distinct, share.zeros, share.missing, share.top[:2]) == (4, 2, 1, [("0.0", 2), ("nan", 2)])
    assert (far.distinct, far.q25, far.median, far.q75) == (3, None, 1.0, None)
    assert (flag.distinct, flag.top, flag.mean) == (2, [("True", 3), ("False", 1)], None)
    assert (text.distinct, text.blank, text.shortest, text.longest, text.max) == (6, 3, 0, 2, "é")


def test_columns_read_in_parts_give_the_same_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame(
        {"n": [3, 1, None], "text": ["a", None, "b"], "day": [date(2024, 1, 1), None, None], "m": [1, 2, 4]}
    )
    table = lake_table(tmp_path, frame)
    at_once = profile(table)
    monkeypatch.setattr("nequi_lake.profiling.profile._CELLS_AT_ONCE", 1)
    assert profile(table) == at_once


def test_frequent_values_of_a_large_table_are_those_of_its_counted_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.profiling.profile.SAMPLED_ROWS", 100)
    number = pl.int_range(300, eager=True).sqrt().cast(pl.Int64)
    table = lake_table(tmp_path, pl.DataFrame({"number": number, "text": number.cast(pl.String) + "th"}))
    _, numbers, texts = profile(table, exact_rows=200)
    counted = Counter(number.gather_every(3).to_list())
    assert len(numbers.top) == len(texts.top) == TOP
    assert all(counted[int(value)] == times for value, times in numbers.top)
    assert all(counted[int(value.removesuffix("th"))] == times for value, times in texts.top)
    assert (numbers.count, numbers.max, texts.longest, texts.sample[1]) == (300, "17", 4, f"{number[30]}th")
