"""A reader of a report takes no figure for another: axes, rounding, codes, frequent values, names, alerts."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.lake.check import Check
from nequi_lake.profiling.numbers import correlation_text
from nequi_lake.profiling.profile import profile
from nequi_lake_tests.profiling.tables import lake_table
from nequi_lake_tests.profiling.test_odd_tables import page_of, reported


def axis(page: str, column: str) -> list[str]:
    """The labels under a histogram."""
    (drawing,) = re.findall(rf'<svg class="histogram"[^>]*aria-label="\w+ of {column}:.*?</svg>', page, re.DOTALL)
    return re.findall(r"<text [^>]*>([^<]*)</text>", drawing)


def card_of(page: str, column: str) -> str:
    """What the page says of a column."""
    (card,) = re.findall(rf'<article class="card" id="column-{column}".*?</article>', page, re.DOTALL)
    return str(card)


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([36, 60] * 20, ["36", "60"]),
        (list(range(1, 834)), ["1", "833"]),
        (list(range(5302)), ["0", "5,301"]),
        (list(range(0, 1_330_817, 997)), ["0", "1,329,998"]),
        ([1_000_001, 1_000_009] * 3, ["1,000,001", "1,000,009"]),
        ([0.25, 0.5, 0.75], ["0.25", "0.75"]),
        ([5], ["5"]),
    ],
)
def test_an_axis_ends_where_the_data_ends(tmp_path: Path, values: list[float], ends: list[str]) -> None:
    table = lake_table(tmp_path, pl.DataFrame({"n": values}))
    labels = axis(page_of(reported(table)), "n")
    assert [labels[0], labels[-1]] == [ends[0], ends[-1]]
    histogram = profile(table)[1].histogram
    assert histogram is not None
    assert sum(histogram.counts) == len(values)
    assert len(histogram.edges) == len({*histogram.edges}) == len(histogram.counts) + 1


def test_bins_of_large_numbers_close_together_differ(tmp_path: Path) -> None:
    table = lake_table(tmp_path, pl.DataFrame({"n": [1e6 + step / 100 for step in range(100)]}))
    histogram = profile(table)[1].histogram
    assert histogram is not None
    assert len({*histogram.edges}) == len(histogram.edges) > 10
    assert max(histogram.counts) < 10


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "+1.00"),
        (-1.0, "−1.00"),
        (0.997, "+0.997"),
        (-0.9951, "−0.995"),
        (0.9999, "> +0.999"),
        (-0.99999, "< −0.999"),
        (0.5, "+0.50"),
        (-0.123, "−0.12"),
        (0.0, "+0.00"),
    ],
)
def test_a_correlation_is_one_only_where_it_is(value: float, text: str) -> None:
    assert correlation_text(value) == text


def test_a_strong_correlation_is_not_shown_as_a_perfect_one(tmp_path: Path) -> None:
    x = [float(n) for n in range(200)]
    frame = pl.DataFrame(
        {
            "x": x,
            "twice": [2 * n for n in x],
            "nearly": [n + (9 if n % 2 else -9) for n in x],
            "close": [*x[:-1], 200.0],
        }
    )
    page = page_of(reported(lake_table(tmp_path, frame)))
    assert re.search(r"twice</a></td>.*?<td class=\"n\">\+1\.00<", page.replace("\n", ""))
    assert "+0.988" not in page
    assert "x, close: &gt; +0.999" in page


def test_a_column_that_is_almost_empty_is_not_shown_as_empty(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1.0] + [None] * 999})
    page = page_of(reported(lake_table(tmp_path, frame)))
    (side,) = re.findall(r'<li data-text="n">.*?</li>', page)
    assert "99.90 %" in side


def test_what_the_frequent_values_leave_out_is_counted(tmp_path: Path) -> None:
    grades = [letter for place, letter in enumerate("ABCDEFG") for _ in range(20 - place)]
    many = [f"m{n % 30}" for n in range(len(grades))]
    page = page_of(reported(lake_table(tmp_path, pl.DataFrame({"grade": grades, "many": many}))))
    cards = {name: card_of(page, name).partition("Most frequent")[2] for name in ("grade", "many")}
    assert re.findall(r"<bdi>(\w)</bdi>", cards["grade"]) == list("ABCDEFG")
    assert "other" not in cards["grade"]
    assert "20 other values" in cards["many"]
    counts = [int(count) for count in re.findall(r"<td>(\d+)</td>", cards["many"])]
    assert sum(counts) == len(many)


def test_shares_of_a_part_are_of_its_rows_and_not_of_the_shown_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.profiling.profile.SAMPLED_ROWS", 100)
    values = ["often" if n % 2 else f"name {n}" for n in range(300)]
    _, column = profile(lake_table(tmp_path, pl.DataFrame({"text": values})), exact_rows=200)
    assert (column.counted, column.exact) == (100, False)
    assert column.top[0] == ("often", 50)


def test_codes_are_no_amounts(tmp_path: Path) -> None:
    frame = pl.DataFrame({"policy": [1, 2, 2, 900_000] * 20, "amount": [1, 2, 2, 9] * 20})
    made = reported(lake_table(tmp_path, frame, units={"policy": "code"}))
    page = page_of(made)
    card = card_of(page, "policy")
    assert "Mean" not in card
    assert "histogram" not in card
    assert re.findall(r"<bdi>(\d+)</bdi>", card) == ["2", "1", "900000"]
    assert [name for alert in made.alerts for name, _ in alert.columns if name == "policy"] == []
    assert made.columns[1].correlations == {}


def test_names_keep_their_underscores(tmp_path: Path) -> None:
    check = Check(
        name="foreign_keys",
        subject="t.t",
        passed=True,
        found="ok",
        numbers={"orphans_member_id": 0, "measures_v2.csv: quarantined": 3, "fare_share.csv": 1, "desc": 0.859},
    )
    page = page_of(reported(lake_table(tmp_path, pl.DataFrame({"n": [1, 2]})), [check]))
    for text in ("foreign_keys", "orphans_member_id: 0", "measures_v2.csv: quarantined: 3", "fare_share.csv: 1"):
        assert text in page
    assert "desc: 85.9 %" in page


@pytest.mark.parametrize(
    ("limit", "alerts"), [(0.88, []), (0.5, []), (0.2, ["Near its limit"]), (0.1, ["Over its limit"])]
)
def test_a_limit_that_declares_a_column_mostly_missing_alerts_of_nothing(
    tmp_path: Path, limit: float, alerts: list[str]
) -> None:
    missing = 85 if limit == 0.88 else 19
    frame = pl.DataFrame({"n": [None] * missing + [float(n % 9) for n in range(100 - missing)]})
    made = reported(lake_table(tmp_path, frame, null_limit=limit))
    assert [alert.kind for alert in made.alerts if alert.serious] == alerts


def test_a_change_that_rounds_to_nothing_has_no_percentage(tmp_path: Path) -> None:
    first = reported(lake_table(tmp_path, pl.DataFrame({"n": [1000.0, 2000.0], "d": [date(2024, 1, 1)] * 2})))
    table = lake_table(tmp_path, pl.DataFrame({"n": [1000.0, 2000.1], "d": [date(2024, 1, 2)] * 2}), release="second")
    page = page_of(reported(table, earlier=first.files()["json"]))
    assert "+0.0 %" not in page
    assert "1,500 → 1,500.05" in page
