"""The loans' star schema: each figure checked against plain Python over the same loans, and keys that never change."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nequi_lake.datasets.credit_risk.contracts import Borrowers, Loans
from nequi_lake_tests.datasets.test_credit_risk_marts import DEFAULTED, LATE, PAID, bucket
from nequi_lake_tests.marts import group_of

Row = dict[str, Any]
Star = dict[str, pl.DataFrame]
TABLES = ("loans", "borrowers", "credit_history", "payments")
MEASURES = {
    "funded_usd": "funded_amnt",
    "installment_usd": "installment",
    "outstanding_usd": "out_prncp",
    "received_usd": "total_pymnt",
    "principal_paid_usd": "total_rec_prncp",
    "interest_paid_usd": "total_rec_int",
    "late_fees_usd": "total_rec_late_fee",
    "recoveries_usd": "recoveries",
    "recovery_fees_usd": "collection_recovery_fee",
    "int_rate_pct": "int_rate",
    "annual_inc_usd": "annual_inc",
    "revol_bal_usd": "revol_bal",
}


def allowed(contract: Any, name: str) -> tuple[Any, ...]:
    """The values that a column admits."""
    column = contract.columns()[name]
    found: tuple[Any, ...] = tuple(column.is_in) if getattr(column, "is_in", None) else column.check.values
    return found


def made_up_loans(seed: int, count: int) -> list[Row]:
    """Loans of every kind, with what the four tables have of each that the star looks at."""
    draw = random.Random(seed)
    return [
        {
            "loan_id": number,
            "member_id": 10 * number,
            "issue_date": dt.date(draw.choice((2007, 2014, 2020)), draw.randrange(1, 13), 1),
            "last_pymnt_date": draw.choice((None, dt.date(2015, 6, 1), dt.date(2016, 1, 1))),
            "next_pymnt_date": draw.choice((None, dt.date(2016, 2, 1))),
            "sub_grade": draw.choice(allowed(Loans, "sub_grade")),
            "purpose": draw.choice(allowed(Loans, "purpose")),
            "loan_status": draw.choice(allowed(Loans, "loan_status")),
            "term_months": draw.choice((36, 60)),
            "application_type": draw.choice(("INDIVIDUAL", "JOINT")),
            "initial_list_status": draw.choice("fw"),
            "addr_state": draw.choice(allowed(Borrowers, "addr_state")),
            "annual_inc": draw.choice((None, 0.0, 24_999.99, 25_000.0, 74_999.0, 150_000.0, 9_000_000.0)),
            "dti": draw.choice((0.0, 9.99, 10.0, 29.99, 30.0, 9999.0)),
            "emp_length_years": draw.choice((None, 0, 1, 3, 4, 9, 10)),
            "home_ownership": draw.choice(allowed(Borrowers, "home_ownership")),
            "verification_status": draw.choice(allowed(Borrowers, "verification_status")),
            **{
                column: draw.randrange(50_000, 200_000) / 100
                for column in MEASURES.values()
                if column not in ("annual_inc", "int_rate")
            },
            "int_rate": draw.choice((6.03, 13.99, 24.5)),
        }
        for number in range(1, count + 1)
    ]


LOANS = made_up_loans(11, 600)


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Star:
    """The star of the loans."""
    return group_of("credit_risk", "star", dict.fromkeys(TABLES, LOANS), tmp_path_factory.mktemp("star"))


def joined(star: Star, dimension: str, key: str | None = None) -> list[Row]:
    """The facts, each with the row of a dimension."""
    key = key or f"{dimension.removeprefix('dim_')}_key"
    rows = {row[star[dimension].columns[0]]: row for row in star[dimension].rows(named=True)}
    return [{**rows[fact[key]], **fact} for fact in star["fact_loan"].rows(named=True)]


def test_every_loan_is_there_once_with_its_measures(star: Star) -> None:
    facts = {row["loan_id"]: row for row in star["fact_loan"].rows(named=True)}
    assert len(star["fact_loan"]) == len(facts) == len(LOANS)
    for loan in LOANS:
        fact = facts[loan["loan_id"]]
        for name, column in MEASURES.items():
            # As the type of the column has it: an exact decimal, or a floating point number.
            assert fact[name] == (None if loan[column] is None else type(fact[name])(str(loan[column]))), name


@pytest.mark.parametrize(
    ("dimension", "columns"),
    [
        ("dim_grade", ["sub_grade"]),
        ("dim_purpose", ["purpose"]),
        ("dim_state", ["addr_state"]),
        ("dim_product", ["term_months", "application_type", "initial_list_status"]),
        ("dim_status", ["loan_status"]),
        ("dim_borrower_band", ["home_ownership", "verification_status"]),
    ],
)
def test_sums_by_a_dimension_are_those_of_the_loans(star: Star, dimension: str, columns: list[str]) -> None:
    counts: Counter[tuple[Any, ...]] = Counter()
    cents: Counter[tuple[Any, ...]] = Counter()
    for loan in LOANS:
        counts[tuple(loan[name] for name in columns)] += 1
        cents[tuple(loan[name] for name in columns)] += round(loan["funded_amnt"] * 100)
    for row in joined(star, dimension):
        counts[tuple(row[name] for name in columns)] -= 1
        cents[tuple(row[name] for name in columns)] -= round(row["funded_usd"] * 100)
    assert {*counts.values(), *cents.values()} == {0}


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("issue_date_key", "issue_date"),
        ("last_payment_date_key", "last_pymnt_date"),
        ("next_payment_date_key", "next_pymnt_date"),
    ],
)
def test_dates_are_found_by_their_key_and_what_is_missing_is_the_date_unknown(
    star: Star, key: str, column: str
) -> None:
    loans = {loan["loan_id"]: loan for loan in LOANS}
    for row in joined(star, "dim_date", key):
        date = loans[row["loan_id"]][column]
        assert row["date"] == date
        if date is None:
            assert (row[key], row["year"], row["year_month"]) == (0, None, "unknown")
        else:
            assert row[key] == int(f"{date:%Y%m%d}")
            assert (row["year"], row["month"], row["day"]) == (date.year, date.month, date.day)
            assert (row["year_month"], row["month_name"]) == (f"{date:%Y-%m}", f"{date:%B}")
            assert row["year_quarter"] == f"{date.year}-Q{row['quarter']}"
            assert row["quarter"] == (date.month + 2) // 3


def test_every_date_that_the_contracts_admit_is_there(star: Star) -> None:
    dates = {date for date in star["dim_date"]["date"] if date}
    low, high = min(dates), max(dates)
    assert (low, high) == (Loans.columns()["issue_date"].min, Loans.columns()["issue_date"].max)  # type: ignore[attr-defined]
    assert len(dates) == (high - low).days + 1
    assert len(star["dim_date"]) == len(dates) + 1


def is_in(value: float | None, band: str, *, to_the_end: bool = False) -> bool:
    """Whether a value is in a band, as the band's name says; the upper edge belongs to it only ``to_the_end``."""
    if value is None or band == "unknown":
        return value is None and band == "unknown"
    edges = [float(edge.replace(",", "")) for edge in re.findall(r"[0-9][0-9,]*", band)]
    if band.startswith("under"):
        return value < edges[0]
    below = band.endswith("more") or value < edges[1] or (to_the_end and value == edges[1])
    return edges[0] <= value and below


def test_borrowers_are_in_the_bands_that_their_names_say(star: Star) -> None:
    loans = {loan["loan_id"]: loan for loan in LOANS}
    rows = joined(star, "dim_borrower_band")
    for row in rows:
        loan = loans[row["loan_id"]]
        assert is_in(loan["annual_inc"], row["income_band"])
        assert is_in(loan["dti"], row["dti_band"])
        assert is_in(loan["emp_length_years"], row["employment_band"], to_the_end=True)
    assert {row["income_position"] for row in rows} == {0, 1, 2, 3, 6}
    assert {row["employment_position"] for row in rows} == {0, 1, 2, 3, 4}


def test_what_a_state_counts_as_is_what_the_marts_count(star: Star) -> None:
    for row in star["dim_status"].rows(named=True):
        state = row["loan_status"]
        assert (row["is_defaulted"], row["is_late"], row["is_paid"]) == (
            state in DEFAULTED,
            state in LATE,
            state in PAID,
        )
        assert row["bucket"] == (bucket(state) or "paid")
        assert row["meets_credit_policy"] == ("credit policy" not in state)


def test_dimensions_have_all_that_the_contracts_admit(star: Star) -> None:
    for dimension, contract, name in (
        ("dim_grade", Loans, "sub_grade"),
        ("dim_purpose", Loans, "purpose"),
        ("dim_status", Loans, "loan_status"),
        ("dim_state", Borrowers, "addr_state"),
    ):
        assert sorted(star[dimension][name]) == sorted(allowed(contract, name))
    assert len(star["dim_product"]) == 2 * 2 * 2
    assert len(star["dim_borrower_band"]) == 7 * 4 * 5 * 6 * 3
    assert Counter(star["dim_state"]["region"]) == {"South": 17, "West": 13, "Midwest": 12, "Northeast": 9}
    assert star["dim_grade"].filter(sub_grade="B3").rows() == [(23, "B", "B3", 3)]
    assert star["dim_purpose"].filter(purpose="debt_consolidation").row(0)[2:] == ("Debt consolidation", True)


def test_keys_stay_where_other_loans_come(star: Star, tmp_path: Path) -> None:
    other = [*made_up_loans(12, 50), {**LOANS[-1], "loan_id": 999}]
    later = group_of("credit_risk", "star", dict.fromkeys(TABLES, other), tmp_path)
    for name, frame in star.items():
        if name != "fact_loan":
            assert later[name].equals(frame)
    keys = [name for name in star["fact_loan"].columns if name.endswith("_key")]
    assert later["fact_loan"].filter(loan_id=999).select(keys).equals(star["fact_loan"][-1].select(keys))


def test_no_loans_give_no_facts_and_all_dimensions(star: Star, tmp_path: Path) -> None:
    empty = group_of("credit_risk", "star", dict.fromkeys(TABLES, ()), tmp_path)
    assert empty["fact_loan"].is_empty()
    assert {name: len(frame) for name, frame in empty.items() if name != "fact_loan"} == {
        name: len(frame) for name, frame in star.items() if name != "fact_loan"
    }
