"""What a credit risk team asks first about the loans: state of the portfolio, arrears (mora), probability of default,
vintages (cosechas) and utilisation.

All of them are of one snapshot: the publisher's file has each loan as it stood when the file was made, and no history.
Nothing here is imported by the tables' module but ``MARTS``, so that a change of a mart makes no new release of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import dataframely as dy

from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.spec import Mart

_STATES = (
    *("Issued", "Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)", "Default", "Charged Off"),
    "Fully Paid",
    *("Does not meet the credit policy. Status:Charged Off", "Does not meet the credit policy. Status:Fully Paid"),
)

_BANDS = (
    *("0", "over 0 to 20", "over 20 to 40", "over 40 to 60", "over 60 to 80", "over 80 to 100", "over 100"),
    "unknown",
)


def _grade() -> dy.String:
    return dy.String(
        primary_key=True,
        check=one_of(*"ABCDEFG"),
        description="LendingClub's rating of the loans' risk, A the best.",
        metadata=column_meta(unit="code", derived_from=["loans.grade"]),
    )


def _issue_year() -> dy.Int64:
    return dy.Int64(
        primary_key=True,
        min=2007,
        max=2020,
        description="Year in which the loans were issued: their vintage (cosecha).",
        metadata=column_meta(unit="year", derived_from=["loans.issue_date"]),
    )


def _count(description: str, *derived_from: str, minimum: int = 0) -> dy.Int64:
    return dy.Int64(min=minimum, description=description, metadata=column_meta(unit="count", derived_from=derived_from))


def _usd(description: str, *derived_from: str, minimum: int | None = 0) -> dy.Decimal:
    return dy.Decimal(
        18, 2, min=minimum, description=description, metadata=column_meta(unit="USD", derived_from=derived_from)
    )


def _share(description: str, derived_from: Iterable[str], *, null_limit: float | None = None) -> dy.Float64:
    return dy.Float64(
        nullable=null_limit is not None,
        min=0,
        max=1,
        description=description,
        metadata=column_meta(unit="share, 0 to 1", derived_from=derived_from, null_limit=null_limit),
    )


class PortfolioStatus(dy.Schema):
    """One row per grade, year of issue and state that some loan has."""

    grade = _grade()
    issue_year = _issue_year()
    loan_status = dy.String(
        primary_key=True,
        check=one_of(*_STATES),
        description="State of the loans when the file was made; days are days past due (días de mora).",
        metadata=column_meta(unit="code", derived_from=["loans.loan_status"]),
    )
    loans = _count("Loans of the row.", "loans.loan_id", minimum=1)
    funded_usd = _usd("Amount paid out to the borrowers (monto desembolsado).", "loans.funded_amnt")
    outstanding_usd = _usd("Principal still owed (saldo de capital).", "payments.out_prncp")
    principal_paid_usd = _usd("Principal that was paid back.", "payments.total_rec_prncp")
    received_usd = _usd("All payments received: principal, interest, late fees and recoveries.", "payments.total_pymnt")
    int_rate_pct = dy.Float64(
        min=0,
        max=100,
        description="Yearly interest rate, each loan weighted by the amount paid out.",
        metadata=column_meta(unit="%", derived_from=["loans.int_rate", "loans.funded_amnt"]),
    )


class ArrearsBuckets(dy.Schema):
    """One row per bucket of arrears; all buckets, also those without a loan."""

    bucket = dy.String(
        primary_key=True,
        check=one_of("current", "grace period", "16-30 days", "31-120 days", "default", "charged off"),
        description="How late the loans' payments are (altura de mora), from current to written off (castigado).",
        metadata=column_meta(unit="code", derived_from=["loans.loan_status"]),
    )
    position = dy.Int64(
        min=1,
        max=6,
        description="Position of the bucket, from 1 for current to 6 for charged off.",
        metadata=column_meta(unit="count", derived_from=["loans.loan_status"]),
    )
    loans = _count("Loans in the bucket.", "loans.loan_id")
    loans_share = _share(
        "Share of the loans that are not fully paid; missing where there is none.", ["loans.loan_id"], null_limit=1.0
    )
    outstanding_usd = _usd(
        "Principal still owed (saldo en mora); zero for a loan that was charged off, as the books have it.",
        "payments.out_prncp",
    )
    outstanding_share = _share(
        "Share of all principal still owed; missing where none is.", ["payments.out_prncp"], null_limit=1.0
    )
    unpaid_usd = _usd(
        "Principal that was not paid back, whether or not it was charged off; recoveries are not taken off.",
        *("loans.funded_amnt", "payments.total_rec_prncp"),
        minimum=None,
    )


class DefaultRate(dy.Schema):
    """One row per grade, purpose and year of issue that some loan has."""

    grade = _grade()
    purpose = dy.String(
        primary_key=True,
        description="What the money is for, chosen by the borrower from a list.",
        metadata=column_meta(unit="code", derived_from=["loans.purpose"]),
    )
    issue_year = _issue_year()
    loans = _count("Loans of any state.", "loans.loan_id", minimum=1)
    defaulted_loans = _count(
        "Loans in default (en incumplimiento): Default, or charged off under either credit policy.", "loans.loan_status"
    )
    paid_loans = _count("Loans that were fully paid, under either credit policy.", "loans.loan_status")
    open_loans = _count("Loans that still run, late ones among them.", "loans.loan_status")
    default_rate = _share(
        "Loans in default as a share of all loans issued: understates the probability of default (PD) while loans run.",
        ["loans.loan_status"],
    )
    ended_default_rate = _share(
        "Loans in default as a share of those in default or fully paid; missing where there is neither. Overstates the "
        "PD of a young vintage, whose loans in default end sooner than those that are paid off.",
        ["loans.loan_status"],
        null_limit=1.0,
    )
    is_immature = dy.Bool(
        description="Whether some loans still run, so that the vintage's final default rate is not known yet.",
        metadata=column_meta(unit="yes/no", derived_from=["loans.loan_status"]),
    )


class Vintages(dy.Schema):
    """One row per quarter of issue and term."""

    issue_quarter = dy.Date(
        primary_key=True,
        description="First day of the quarter in which the loans were issued: their vintage (cosecha).",
        metadata=column_meta(unit="date", derived_from=["loans.issue_date"]),
    )
    term_months = dy.Int64(
        primary_key=True,
        is_in=[36, 60],
        description="Number of monthly payments agreed; longer loans mature later.",
        metadata=column_meta(unit="months", derived_from=["loans.term_months"]),
    )
    months_on_book = dy.Int64(
        nullable=True,
        description="Months from the quarter's first day to the newest month with a payment in the whole file; missing "
        "where no payment was made at all.",
        metadata=column_meta(
            unit="months", derived_from=["loans.issue_date", "payments.last_pymnt_date"], null_limit=1.0
        ),
    )
    loans = _count("Loans issued.", "loans.loan_id", minimum=1)
    funded_usd = _usd("Amount paid out to the borrowers (monto desembolsado).", "loans.funded_amnt")
    defaulted_share = _share("Share of the loans in default or charged off by now.", ["loans.loan_status"])
    paid_share = _share("Share of the loans fully paid by now.", ["loans.loan_status"])
    late_share = _share("Share of the loans in the grace period or late (en mora).", ["loans.loan_status"])
    current_share = _share("Share of the loans that run and are paid on time.", ["loans.loan_status"])
    loss_usd = _usd(
        "Net loss so far: principal of loans in default that was not paid back, less recoveries after fees.",
        *("loans.loan_status", "loans.funded_amnt", "payments.total_rec_prncp"),
        *("payments.recoveries", "payments.collection_recovery_fee"),
        minimum=None,
    )
    loss_rate = dy.Float64(
        nullable=True,
        max=1,
        description="Net loss so far as a share of the amount paid out; missing where nothing was paid out.",
        metadata=column_meta(
            unit="share, 0 to 1",
            derived_from=[
                *("loans.loan_status", "loans.funded_amnt", "payments.total_rec_prncp"),
                *("payments.recoveries", "payments.collection_recovery_fee"),
            ],
            null_limit=1.0,
        ),
    )


class Utilisation(dy.Schema):
    """One row per band of utilisation and grade that some loan has."""

    utilisation_band = dy.String(
        primary_key=True,
        check=one_of(*_BANDS),
        description="Balance of the borrower's revolving credit in % of its limits (utilización del cupo), in bands.",
        metadata=column_meta(unit="%", derived_from=["credit_history.revol_util"]),
    )
    grade = _grade()
    position = dy.Int64(
        min=1,
        max=8,
        description="Position of the band, from 1 for the lowest; 8 is unknown.",
        metadata=column_meta(unit="count", derived_from=["credit_history.revol_util"]),
    )
    borrowers = _count("Borrowers, each once however many loans they have.", "loans.member_id", minimum=1)
    loans = _count("Loans of the row.", "loans.loan_id", minimum=1)
    revolving_balance_usd = _usd(
        "Balance of the borrowers' revolving credit at the application, added up loan by loan.",
        "credit_history.revol_bal",
    )
    utilisation_pct = dy.Float64(
        nullable=True,
        min=0,
        description="Mean utilisation of the loans' borrowers; missing in the band unknown.",
        metadata=column_meta(unit="%", derived_from=["credit_history.revol_util"], null_limit=1.0),
    )
    outstanding_usd = _usd("Principal of the loans that is still owed (saldo de capital).", "payments.out_prncp")
    defaulted_loans = _count("Loans in default: Default, or charged off under either policy.", "loans.loan_status")
    default_rate = _share("Loans in default as a share of all loans of the row.", ["loans.loan_status"])


MARTS = (
    Mart(
        name="portfolio_status",
        description="Portfolio by grade, year of issue and state: loans, amounts paid out, owed and received.",
        contract=PortfolioStatus,
    ),
    Mart(
        name="arrears_buckets",
        description="Arrears (mora) of the loans that are not fully paid, bucket by bucket: loans and principal owed, "
        "and their shares. Loans that were issued and have no payment due yet count as current.",
        contract=ArrearsBuckets,
    ),
    Mart(
        name="default_rate",
        description="Default rate by grade, purpose and vintage, as an estimate of the probability of default (PD). In "
        "default are the states Default, Charged Off, and Charged Off outside of the credit policy; loans that are "
        "late are not, up to 120 days. The base is all loans issued, so that vintages whose loans still run "
        "(is_immature) understate the PD.",
        contract=DefaultRate,
    ),
    Mart(
        name="vintages",
        description="Vintages (cosechas) by quarter of issue and term: what became of the loans by the day of the "
        "file, and the net loss. One snapshot has one point of each vintage's curve. How a vintage stood after 6 or 12 "
        "months on book it does not show, so that vintages of different age must not be compared.",
        contract=Vintages,
    ),
    Mart(
        name="utilisation",
        description="Utilisation of revolving credit (utilización) at the application, in bands and by grade: "
        "borrowers, balances and default rate.",
        contract=Utilisation,
    ),
)
