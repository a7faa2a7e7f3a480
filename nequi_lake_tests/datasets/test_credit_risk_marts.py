"""The figures of the loans' marts, each held against plain Python over the same few hundred loans."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Hashable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nequi_lake_tests.marts import mart_of

Row = dict[str, Any]
DEFAULTED = {"Default", "Charged Off", "Does not meet the credit policy. Status:Charged Off"}
PAID = {"Fully Paid", "Does not meet the credit policy. Status:Fully Paid"}
LATE = {"In Grace Period", "Late (16-30 days)", "Late (31-120 days)"}
STATES = sorted(DEFAULTED | PAID | LATE | {"Issued", "Current"})


def made_up_loans() -> list[Row]:
    """Loans with all that the marts look at: few values of each column, so that groups have several."""
    draw = random.Random(7)
    loans = []
    for number in range(1, 400):
        funded = draw.randrange(500, 35_000, 25)
        principal = Decimal(draw.randrange(funded * 100)) / 100
        loans.append(
            {
                "loan_id": number,
                # Every tenth borrower has two loans.
                "member_id": number - (number % 10 == 0),
                "issue_date": dt.date(draw.choice((2008, 2014, 2015)), draw.randrange(1, 13), 1),
                "funded_amnt": Decimal(funded),
                "term_months": draw.choice((36, 60)),
                "int_rate": draw.choice((6.03, 13.99, 24.5)),
                "grade": draw.choice("AAABG"),
                "purpose": draw.choice(("car", "credit_card")),
                "loan_status": draw.choice(STATES),
                "out_prncp": funded - principal,
                "total_rec_prncp": principal,
                # With fractions of a cent, as the file has some amounts.
                "total_pymnt": principal + Decimal(draw.randrange(10**11)) / 10**8,
                "recoveries": draw.choice((Decimal(0), Decimal("110.07"))),
                "collection_recovery_fee": draw.choice((Decimal(0), Decimal("1.0149999999"))),
                "last_pymnt_date": draw.choice((None, dt.date(2015, 6, 1), dt.date(2016, 1, 1))),
                "revol_util": draw.choice((None, 0.0, 0.1, 20.0, 20.01, 99.9, 100.0, 100.01, 892.3)),
                "revol_bal": Decimal(draw.randrange(0, 90_000)),
            }
        )
    return loans


LOANS = made_up_loans()


@pytest.fixture
def mart(tmp_path: Path) -> Callable[[str, list[Row]], list[Row]]:
    """Makes a mart of loans; its rows."""

    def make(name: str, loans: list[Row]) -> list[Row]:
        tables = dict.fromkeys(("loans", "payments", "credit_history"), loans)
        return mart_of(f"credit_risk.{name}", tables, tmp_path / name).rows(named=True)

    return make


MakeMart = Callable[[str, list[Row]], list[Row]]


def grouped(loans: Iterable[Row], key: Callable[[Row], Hashable]) -> dict[Any, list[Row]]:
    """The loans by a key."""
    groups: dict[Any, list[Row]] = {}
    for loan in loans:
        groups.setdefault(key(loan), []).append(loan)
    return groups


def total(loans: Iterable[Row], value: Callable[[Row], Decimal]) -> Decimal:
    """The sum of amounts, exact but for fractions of a cent, which are rounded once in the end."""
    return sum(map(value, loans), Decimal(0)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def share_of(loans: list[Row], states: set[str]) -> Any:
    """The share of loans in these states."""
    return pytest.approx(sum(loan["loan_status"] in states for loan in loans) / len(loans), abs=1e-12)


def test_portfolio_status(mart: MakeMart) -> None:
    groups = grouped(LOANS, lambda loan: (loan["grade"], loan["issue_date"].year, loan["loan_status"]))
    rows = mart("portfolio_status", LOANS)
    assert len(rows) == len(groups)
    for row in rows:
        loans = groups[row["grade"], row["issue_year"], row["loan_status"]]
        assert row["loans"] == len(loans)
        assert row["funded_usd"] == total(loans, lambda loan: loan["funded_amnt"])
        assert row["outstanding_usd"] == total(loans, lambda loan: loan["out_prncp"])
        assert row["principal_paid_usd"] == total(loans, lambda loan: loan["total_rec_prncp"])
        assert row["received_usd"] == total(loans, lambda loan: loan["total_pymnt"])
        weighted = sum(loan["int_rate"] * float(loan["funded_amnt"]) for loan in loans)
        mean = weighted / float(sum(loan["funded_amnt"] for loan in loans))
        assert row["int_rate_pct"] == pytest.approx(mean, abs=1e-6)


def test_cents_whose_sum_no_float_has_are_added_exactly(mart: MakeMart) -> None:
    cents = [Decimal(number % 100) / 100 + 10**12 for number in range(9_999)]
    assert Decimal(float(sum(cents))) != sum(cents)
    loans = [{**LOANS[0], "loan_id": number, "out_prncp": cent} for number, cent in enumerate(cents)]
    (row,) = mart("portfolio_status", loans)
    assert row["outstanding_usd"] == sum(cents)


def bucket(state: str) -> str | None:
    """The bucket of a state."""
    if state in ("Issued", "Current"):
        return "current"
    if state in PAID:
        return None
    if state in DEFAULTED:
        return "default" if state == "Default" else "charged off"
    return state.removeprefix("In ").removeprefix("Late (").removesuffix(")").lower()


def test_arrears_buckets(mart: MakeMart) -> None:
    groups = grouped(LOANS, lambda loan: bucket(loan["loan_status"]))
    del groups[None]
    rows = sorted(mart("arrears_buckets", LOANS), key=lambda row: int(row["position"]))
    assert [row["bucket"] for row in rows] == [
        *("current", "grace period", "16-30 days", "31-120 days", "default", "charged off")
    ]
    assert {row["bucket"]: row["loans"] for row in rows} == {name: len(loans) for name, loans in groups.items()}
    everyone = [loan for loans in groups.values() for loan in loans]
    owed = sum(loan["out_prncp"] for loan in everyone)
    for row in rows:
        loans = groups[row["bucket"]]
        assert row["outstanding_usd"] == total(loans, lambda loan: loan["out_prncp"])
        assert row["unpaid_usd"] == total(loans, lambda loan: loan["funded_amnt"] - loan["total_rec_prncp"])
        assert row["loans_share"] == pytest.approx(len(loans) / len(everyone))
        assert row["outstanding_share"] == pytest.approx(float(sum(loan["out_prncp"] for loan in loans) / owed))
    assert sum(row["loans_share"] for row in rows) == pytest.approx(1)


def test_a_bucket_without_loans_is_there_and_a_share_of_nothing_is_missing(mart: MakeMart) -> None:
    (one,) = [{**LOANS[0], "loan_status": "Default", "out_prncp": Decimal(0)}]
    rows = {row["bucket"]: row for row in mart("arrears_buckets", [one])}
    assert {name: row["loans"] for name, row in rows.items() if row["loans"]} == {"default": 1}
    assert rows["current"]["loans_share"] == 0
    assert rows["default"]["outstanding_share"] is None
    for row in mart("arrears_buckets", []):
        assert (row["loans"], row["outstanding_usd"], row["loans_share"], row["outstanding_share"]) == (
            0,
            0,
            None,
            None,
        )


def test_default_rate(mart: MakeMart) -> None:
    groups = grouped(LOANS, lambda loan: (loan["grade"], loan["purpose"], loan["issue_date"].year))
    rows = mart("default_rate", LOANS)
    assert len(rows) == len(groups)
    for row in rows:
        loans = groups[row["grade"], row["purpose"], row["issue_year"]]
        defaulted = sum(loan["loan_status"] in DEFAULTED for loan in loans)
        paid = sum(loan["loan_status"] in PAID for loan in loans)
        assert (row["loans"], row["defaulted_loans"], row["paid_loans"]) == (len(loans), defaulted, paid)
        assert row["open_loans"] == len(loans) - defaulted - paid
        assert row["default_rate"] == share_of(loans, DEFAULTED)
        assert row["is_immature"] == (len(loans) > defaulted + paid)
        ended = [loan for loan in loans if loan["loan_status"] in DEFAULTED | PAID]
        assert row["ended_default_rate"] == (share_of(ended, DEFAULTED) if ended else None)


def test_a_vintage_of_which_nothing_has_ended_has_no_rate_of_ended_loans(mart: MakeMart) -> None:
    (row,) = mart("default_rate", [{**LOANS[0], "loan_status": "Late (31-120 days)"}])
    assert (row["default_rate"], row["ended_default_rate"], row["is_immature"]) == (0, None, True)
    (row,) = mart("default_rate", [{**LOANS[0], "loan_status": "Charged Off"}])
    assert (row["default_rate"], row["ended_default_rate"], row["is_immature"]) == (1, 1, False)


def net_loss(loan: Row) -> Decimal:
    """What is lost of a loan in default."""
    lost: Decimal = (
        loan["funded_amnt"] - loan["total_rec_prncp"] - (loan["recoveries"] - loan["collection_recovery_fee"])
    )
    return lost if loan["loan_status"] in DEFAULTED else Decimal(0)


def test_vintages(mart: MakeMart) -> None:
    def vintage(loan: Row) -> tuple[dt.date, int]:
        issued = loan["issue_date"]
        return issued.replace(month=(issued.month - 1) // 3 * 3 + 1), loan["term_months"]

    groups = grouped(LOANS, vintage)
    rows = mart("vintages", LOANS)
    assert len(rows) == len(groups)
    for row in rows:
        quarter = row["issue_quarter"]
        loans = groups[quarter, row["term_months"]]
        assert row["months_on_book"] == (2016 - quarter.year) * 12 + 1 - quarter.month
        assert row["loans"] == len(loans)
        assert row["funded_usd"] == total(loans, lambda loan: loan["funded_amnt"])
        assert row["defaulted_share"] == share_of(loans, DEFAULTED)
        assert row["paid_share"] == share_of(loans, PAID)
        assert row["late_share"] == share_of(loans, LATE)
        assert row["current_share"] == share_of(loans, {"Issued", "Current"})
        shares = [row[f"{name}_share"] for name in ("defaulted", "paid", "late", "current")]
        assert sum(shares) == pytest.approx(1)
        assert row["loss_usd"] == total(loans, net_loss)
        assert row["loss_rate"] == pytest.approx(float(row["loss_usd"] / row["funded_usd"]))


def test_a_file_without_payments_has_no_months_on_book(mart: MakeMart) -> None:
    (row,) = mart("vintages", [{**LOANS[0], "last_pymnt_date": None}])
    assert row["months_on_book"] is None


@pytest.mark.parametrize(
    ("utilisation", "band"),
    [
        *((None, "unknown"), (0.0, "0"), (0.1, "over 0 to 20"), (20.0, "over 0 to 20"), (20.01, "over 20 to 40")),
        *((80.0, "over 60 to 80"), (100.0, "over 80 to 100"), (100.01, "over 100"), (892.3, "over 100")),
    ],
)
def test_bands_of_utilisation_hold_their_upper_edge(utilisation: float | None, band: str, mart: MakeMart) -> None:
    (row,) = mart("utilisation", [{**LOANS[0], "revol_util": utilisation}])
    assert (row["utilisation_band"], row["utilisation_pct"]) == (band, utilisation)


def test_utilisation(mart: MakeMart) -> None:
    rows = mart("utilisation", LOANS)
    assert sum(row["loans"] for row in rows) == len(LOANS)
    places = {row["utilisation_band"]: row["position"] for row in rows}
    assert sorted(places, key=lambda band: int(places[band])) == [
        *("0", "over 0 to 20", "over 20 to 40", "over 80 to 100", "over 100", "unknown")
    ]
    over = [loan for loan in LOANS if loan["grade"] == "A" and (loan["revol_util"] or 0) > 100]
    (row,) = [row for row in rows if (row["utilisation_band"], row["grade"]) == ("over 100", "A")]
    assert row["borrowers"] == len({loan["member_id"] for loan in over})
    assert row["loans"] == len(over)
    assert row["revolving_balance_usd"] == total(over, lambda loan: loan["revol_bal"])
    assert row["outstanding_usd"] == total(over, lambda loan: loan["out_prncp"])
    mean = sum(loan["revol_util"] for loan in over) / len(over)
    assert row["utilisation_pct"] == pytest.approx(mean, abs=1e-6)
    assert row["default_rate"] == share_of(over, DEFAULTED)


def test_a_borrower_with_two_loans_counts_once(mart: MakeMart) -> None:
    twice = [{**LOANS[0], "loan_id": number, "member_id": 5} for number in (1, 2)]
    (row,) = mart("utilisation", twice)
    assert (row["borrowers"], row["loans"]) == (1, 2)


def test_every_mart_counts_the_same_defaults(mart: MakeMart) -> None:
    defaulted = sum(loan["loan_status"] in DEFAULTED for loan in LOANS)
    status = mart("portfolio_status", LOANS)
    assert sum(row["loans"] for row in status if row["loan_status"] in DEFAULTED) == defaulted
    arrears = mart("arrears_buckets", LOANS)
    assert sum(row["loans"] for row in arrears if row["bucket"] in ("default", "charged off")) == defaulted
    assert sum(row["defaulted_loans"] for row in mart("default_rate", LOANS)) == defaulted
    assert sum(row["defaulted_loans"] for row in mart("utilisation", LOANS)) == defaulted
    vintages = mart("vintages", LOANS)
    assert sum(row["defaulted_share"] * row["loans"] for row in vintages) == pytest.approx(defaulted)


@pytest.mark.parametrize("name", ["portfolio_status", "default_rate", "vintages", "utilisation"])
def test_no_loans_give_no_rows(name: str, tmp_path: Path) -> None:
    frame = mart_of(f"credit_risk.{name}", {table: [] for table in ("loans", "payments", "credit_history")}, tmp_path)
    assert frame.is_empty()
    assert pl.Int64() in frame.dtypes
