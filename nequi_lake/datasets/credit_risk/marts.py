"""What a credit risk team asks of the loans first: the state of the portfolio, arrears (mora), probability of default,
vintages (cosechas) and utilisation.

All of them are of one snapshot: the publisher's file has each loan as it stood when the file was made, and no history.
Nothing here is imported by the tables' module but ``MARTS``, so that a change of a mart makes no new release of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import dataframely as dy

from nequi_lake.datasets.contract import about, one_of
from nequi_lake.datasets.spec import Mart

_STATES = (
    *("Issued", "Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)", "Default", "Charged Off"),
    "Fully Paid",
    *("Does not meet the credit policy. Status:Charged Off", "Does not meet the credit policy. Status:Fully Paid"),
)


def _grade() -> dy.String:
    return dy.String(
        primary_key=True,
        check=one_of(*"ABCDEFG"),
        description="LendingClub's rating of the loans' risk, A the best.",
        metadata=about(unit="code", derived_from=["loans.grade"]),
    )


def _issue_year() -> dy.Int64:
    return dy.Int64(
        primary_key=True,
        min=2007,
        max=2020,
        description="Year in which the loans were issued: their vintage (cosecha).",
        metadata=about(unit="year", derived_from=["loans.issue_date"]),
    )


def _count(description: str, *derived_from: str, least: int = 0) -> dy.Int64:
    return dy.Int64(min=least, description=description, metadata=about(unit="count", derived_from=derived_from))


def _usd(description: str, *derived_from: str, least: float | None = 0.0) -> dy.Float64:
    return dy.Float64(min=least, description=description, metadata=about(unit="USD", derived_from=derived_from))


def _share(description: str, derived_from: Iterable[str], *, null_limit: float | None = None) -> dy.Float64:
    return dy.Float64(
        nullable=null_limit is not None,
        min=0,
        max=1,
        description=description,
        metadata=about(unit="share, 0 to 1", derived_from=derived_from, null_limit=null_limit),
    )


class PortfolioStatus(dy.Schema):
    """One row a grade, year of issue and state that some loan has."""

    grade = _grade()
    issue_year = _issue_year()
    loan_status = dy.String(
        primary_key=True,
        check=one_of(*_STATES),
        description="State of the loans when the file was made; days are days past due (días de mora).",
        metadata=about(unit="code", derived_from=["loans.loan_status"]),
    )
    loans = _count("Loans.", "loans.loan_id", least=1)
    funded_usd = _usd("Amount paid out to the borrowers (monto desembolsado).", "loans.funded_amnt")
    outstanding_usd = _usd("Principal still owed (saldo de capital).", "payments.out_prncp")
    principal_paid_usd = _usd("Principal that was paid back.", "payments.total_rec_prncp")
    received_usd = _usd("All payments received: principal, interest, late fees and recoveries.", "payments.total_pymnt")
    int_rate_pct = dy.Float64(
        min=0,
        max=100,
        description="Interest rate a year, each loan weighted by the amount paid out.",
        metadata=about(unit="%", derived_from=["loans.int_rate", "loans.funded_amnt"]),
    )


MARTS = (
    Mart(
        name="portfolio_status",
        description="Portfolio by grade, year of issue and state: loans, amounts paid out, owed and received.",
        contract=PortfolioStatus,
    ),
)
