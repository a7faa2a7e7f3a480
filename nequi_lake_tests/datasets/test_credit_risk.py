"""Loans: what becomes of the publisher's quirks, and what other LendingClub exports are answered."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from nequi_lake import Lake
from nequi_lake.datasets.credit_risk import emp_length_years, term_months, unrounded
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.settings import Settings
from nequi_lake.samples.credit_risk import sample
from nequi_lake_tests.conftest import Materialize, failed_checks, failures, only

TABLES = ("borrowers", "loans", "credit_history", "payments")


@pytest.fixture(scope="session")
def export() -> str:
    """A small loan.csv as the publisher writes it."""
    return b"".join(sample(0.001, 1)["loan.csv"]).decode()


@pytest.fixture
def deliver(inbox: Path, export: str) -> Callable[[Callable[[str], str]], None]:
    """Put the export, changed by a function, into the inbox."""

    def put(change: Callable[[str], str]) -> None:
        folder = inbox / "credit_risk"
        folder.mkdir(exist_ok=True)
        (folder / "loan.csv").write_text(change(export), encoding="utf-8")
        (folder / "LCDataDictionary.xlsx").write_bytes(b"".join(sample(0.001, 1)["LCDataDictionary.xlsx"]))

    return put


@pytest.fixture
def loans(settings: Settings) -> Lake:
    """The lake, for reading loans."""
    return Lake(settings, only("credit_risk"))


Deliver = Callable[[Callable[[str], str]], None]


def with_column(name: str, change: Callable[[str], str]) -> Callable[[str], str]:
    """Change every value of a column."""
    import csv
    import io

    def changed(text: str) -> str:
        rows = list(csv.reader(io.StringIO(text)))
        place = rows[0].index(name)
        for row in rows[1:]:
            row[place] = change(row[place])
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue()

    return changed


def test_every_loan_is_in_all_four_tables(deliver: Deliver, materialize: Materialize, loans: Lake, export: str) -> None:
    deliver(lambda text: text)
    assert materialize("credit_risk").success
    rows = {table.table.name: table.published.rows for table in loans.tables()}
    assert rows == dict.fromkeys(TABLES, export.count("\n") - 1)
    assert all(table.published.accounting.quarantined == 0 for table in loans.tables())


def test_values_are_read_as_they_are_meant(deliver: Deliver, materialize: Materialize, loans: Lake) -> None:
    def first_record(text: str) -> str:
        header, first, rest = text.split("\n", 2)
        cells = dict(zip(header.split(","), first.split(","), strict=False))
        first = first.replace(cells["issue_d"], "Dec-2011").replace(cells["term"], " 60 months")
        return "\n".join((header, first, rest))

    deliver(first_record)
    assert materialize("credit_risk").success
    (row,) = loans.sql(
        "SELECT issue_date, term_months, issue_year, pymnt_plan FROM credit_risk.loans "
        "JOIN credit_risk.payments USING (loan_id) WHERE loan_id = (SELECT first(loan_id) FROM credit_risk.loans "
        "WHERE issue_date = DATE '2011-12-01')"
    ).to_pylist()
    assert row == {"issue_date": dt.date(2011, 12, 1), "term_months": 60, "issue_year": 2011, "pymnt_plan": False}


def test_words_for_years_of_employment(deliver: Deliver, materialize: Materialize, loans: Lake) -> None:
    words = ["< 1 year", "1 year", "7 years", "10+ years", "n/a", ""]
    turn = iter(words * 10_000)
    deliver(with_column("emp_length", lambda _: next(turn) if _ not in ("n/a", "") else "4 years"))
    result = materialize("credit_risk")
    assert "null_limits" in failed_checks(result)["processed/credit_risk/borrowers"]
    assert "emp_length_years is missing in" in failures(result)
    turn = iter(words[:4] * 10_000)
    deliver(with_column("emp_length", lambda _: next(turn)))
    assert materialize("credit_risk").success
    years = loans.sql("SELECT DISTINCT emp_length_years AS y FROM credit_risk.borrowers ORDER BY y").to_pylist()
    assert [row["y"] for row in years] == [0, 1, 7, 10]


def test_terms_and_years_are_read_as_they_are_written_and_nothing_else_is() -> None:
    terms = [" 36 months", "60 months ", "36", "36months", "x months", "36 months or so", "+36 months", "-36 months"]
    read = pl.DataFrame({"term": [*terms, "", None]}).select(term_months()).to_series()
    assert read.to_list() == [36, 60, *[None] * 8]
    lengths = {"< 1 year": 0, "1 year": 1, " 9 years ": 9, "10+ years": 10, "2 year": 2}
    others = ["0 years", "11 years", "-1 years", "9 yearss", "x years", "10 years", "n/a", "years", "", None]
    read = pl.DataFrame({"emp_length": [*lengths, *others]}).select(emp_length_years()).to_series()
    assert read.to_list() == [*lengths.values(), *(None for _ in others)]


def test_amounts_that_are_not_rounded_keep_each_decimal() -> None:
    amounts = {"5861.07141425": "5861.07141425", " 23.7814996114": "23.7814996114", "0.0": "0", "6.3e-09": "6.3e-09"}
    others = ["1e-11", "1.5e-10", "1e5", "0.12345678901", "123456789.0", "1,5", "-", "nan", "", None]
    read = pl.DataFrame({"fee": [*amounts, *others]}).select(unrounded("fee")).to_series()
    assert read.dtype == pl.Decimal(18, 10)
    assert read.to_list() == [*map(Decimal, amounts.values()), *(None for _ in others)]


def test_loans_lie_by_year_of_issue(deliver: Deliver, materialize: Materialize, loans: Lake) -> None:
    deliver(lambda text: text)
    assert materialize("credit_risk").success
    for name, folder in (("loans", "issue_date_year="), ("payments", "issue_year="), ("credit_history", "issue_year=")):
        folders = {Path(path).parent.name for path in loans.table(f"credit_risk.{name}").files()}
        years = loans.sql("SELECT DISTINCT year(issue_date) AS y FROM credit_risk.loans").to_pylist()
        assert folders == {f"{folder}{row['y']}" for row in years}


def test_the_dictionary_is_kept_and_not_read(deliver: Deliver, materialize: Materialize, loans: Lake) -> None:
    deliver(lambda text: text)
    assert materialize("credit_risk").success
    from nequi_lake.lake.raw import RawZone

    kept = RawZone(loans.storage).newest(loans.datasets["credit_risk"])["LCDataDictionary.xlsx"]
    assert loans.storage.read(kept.path) == b"".join(sample(0.001, 1)["LCDataDictionary.xlsx"])


def test_an_export_with_a_bom_is_read_rightly(deliver: Deliver, materialize: Materialize, loans: Lake) -> None:
    deliver(lambda text: text)
    assert materialize("credit_risk").success
    without = loans.table("credit_risk.loans").to_arrow()
    deliver(lambda text: f"\ufeff{text}")
    assert materialize("credit_risk").success
    assert loans.table("credit_risk.loans").to_arrow() == without


OTHER_EXPORTS: dict[str, tuple[Callable[[str], str], str, str]] = {
    "145 columns": (
        lambda text: "\n".join(
            line + f",x{number}" * 71 if line else "" for number, line in enumerate(text.split("\n"))
        ),
        "file_structure",
        "145 columns where 74 are declared: unexpected columns",
    ),
    "% in the rates": (
        with_column("int_rate", lambda rate: f"{rate}%"),
        "quarantine_limit",
        "records of loan.csv are bad",
    ),
    "Dec-11 dates": (
        lambda text: re.sub(r"\b([A-Z][a-z]{2})-(?:19|20)(\d\d)\b", r"\1-\2", text),
        "quarantine_limit",
        "records of loan.csv are bad",
    ),
}


@pytest.mark.parametrize(("change", "check", "told"), OTHER_EXPORTS.values(), ids=OTHER_EXPORTS)
def test_another_export_is_refused_and_never_half_read(
    change: Callable[[str], str],
    check: str,
    told: str,
    deliver: Deliver,
    materialize: Materialize,
    loans: Lake,
) -> None:
    deliver(change)
    result = materialize("credit_risk")
    assert not result.success
    assert any(check in names for names in failed_checks(result).values())
    assert told in failures(result)
    assert not loans.storage.exists(loans.storage.path("catalog.db")) or loans.tables() == []


def test_a_footer_line_is_put_aside_with_its_line(
    deliver: Deliver, materialize: Materialize, loans: Lake, export: str
) -> None:
    deliver(lambda text: f"{text}Total amount funded in policy code 1: 460296150\n")
    assert materialize("credit_risk").success
    (bad,) = newest_quarantine(loans.storage, *loans.declared("credit_risk.loans")).collect().rows(named=True)
    assert bad["line"] == export.count("\n") + 1
    assert bad["rule"].startswith("1 fields where the header has 74")
    assert loans.table("credit_risk.loans").published.rows == export.count("\n") - 1


def test_two_digit_years_say_so_in_the_quarantine(deliver: Deliver, materialize: Materialize, loans: Lake) -> None:
    deliver(with_column("issue_d", lambda date: date.replace("-20", "-")))
    assert not materialize("credit_risk").success
    bad = newest_quarantine(loans.storage, *loans.declared("credit_risk.loans")).collect()
    assert bad.height > 800
    assert all("issue_date: cannot be read as Date" in rule for rule in bad["rule"])
