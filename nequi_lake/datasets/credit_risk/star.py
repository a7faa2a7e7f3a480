"""The loans as a star schema, for tools that sum measures by the attributes of dimensions.

Keys of dimensions never change: closed sets are numbered in their SQL, where new members get new numbers, and a date's
key is its digits. A dimension has the member unknown, of key 0, where a loan may lack it. A borrower has one loan, so
that a dimension of borrowers would be as long as the fact: the dimension has the bands in which borrowers are.
"""

from __future__ import annotations

import dataframely as dy

from nequi_lake.datasets.contract import column_meta, copy_column, one_of
from nequi_lake.datasets.credit_risk.contracts import Borrowers, CreditHistory, Loans, Payments
from nequi_lake.datasets.spec import Mart

_STAR = "star"


def _key(description: str, *derived_from: str) -> dy.Int64:
    return dy.Int64(
        primary_key=True, min=0, description=description, metadata=column_meta(unit="id", derived_from=derived_from)
    )


def _member(dimension: str, description: str, *derived_from: str) -> dy.Int64:
    """The reference of a fact to a dimension, whose key is called as this is without what stands before it."""
    return dy.Int64(
        min=0,
        description=description,
        metadata=column_meta(unit="id", derived_from=derived_from, references=dimension),
    )


def _position(description: str, *derived_from: str) -> dy.Int64:
    return dy.Int64(min=0, description=description, metadata=column_meta(unit="count", derived_from=derived_from))


def _label(description: str, *derived_from: str) -> dy.String:
    return dy.String(description=description, metadata=column_meta(unit="text", derived_from=derived_from))


def _yes_no(description: str, *derived_from: str) -> dy.Bool:
    return dy.Bool(description=description, metadata=column_meta(unit="yes/no", derived_from=derived_from))


_DATES = ("loans.issue_date", "payments.last_pymnt_date", "payments.next_pymnt_date")


def _part_of_date(description: str, unit: str, low: int, high: int) -> dy.Int64:
    return dy.Int64(
        nullable=True,
        min=low,
        max=high,
        description=f"{description}; missing for the date unknown.",
        metadata=column_meta(unit=unit, derived_from=_DATES, null_limit=0.01),
    )


class DimDate(dy.Schema):
    """One row per day of the years in which loans may be issued and paid, and one for the date unknown."""

    date_key = _key("The date as a number, yyyymmdd; 0 where it is unknown.", *_DATES)
    date = dy.Date(
        nullable=True,
        description="The date; missing for the date unknown.",
        metadata=column_meta(unit="date", derived_from=_DATES, null_limit=0.01),
    )
    year = _part_of_date("Year", "year", 2007, 2020)
    quarter = _part_of_date("Quarter of the year", "count", 1, 4)
    month = _part_of_date("Month of the year", "count", 1, 12)
    day = _part_of_date("Day of the month", "count", 1, 31)
    year_quarter = _label("Year and quarter, such as 2015-Q4; unknown for the date unknown.", *_DATES)
    year_month = _label("Year and month, such as 2015-12; unknown for the date unknown.", *_DATES)
    month_name = _label("Name of the month, in English; unknown for the date unknown.", *_DATES)


class DimGrade(dy.Schema):
    """One row per sub-grade."""

    grade_key = _key("The grade as a number from 1 for A, and then its step: B3 is 23.", "loans.sub_grade")
    grade = copy_column(Loans, "loans.grade")
    sub_grade = copy_column(Loans, "loans.sub_grade")
    step = dy.Int64(
        min=1,
        max=5,
        description="Step within the grade, 1 the best.",
        metadata=column_meta(unit="count", derived_from=["loans.sub_grade"]),
    )


class DimPurpose(dy.Schema):
    """One row per purpose."""

    purpose_key = _key("Number of the purpose.", "loans.purpose")
    purpose = copy_column(Loans, "loans.purpose")
    purpose_name = _label("The purpose as people read it.", "loans.purpose")
    is_refinancing = _yes_no("Whether the money pays off other debts.", "loans.purpose")


class DimState(dy.Schema):
    """One row per US state, and one for the federal district."""

    state_key = _key("Number of the state.", "borrowers.addr_state")
    addr_state = copy_column(Borrowers, "borrowers.addr_state")
    state_name = _label("Name of the state.", "borrowers.addr_state")
    region = dy.String(
        check=one_of("Midwest", "Northeast", "South", "West"),
        description="Region of the United States, as its Census Bureau divides them.",
        metadata=column_meta(unit="code", derived_from=["borrowers.addr_state"]),
    )


class DimProduct(dy.Schema):
    """One row per term, kind of application and market of the first listing."""

    product_key = _key(
        "Number of the product.", "loans.term_months", "loans.application_type", "loans.initial_list_status"
    )
    term_months = copy_column(Loans, "loans.term_months")
    application_type = copy_column(Loans, "loans.application_type")
    initial_list_status = copy_column(Loans, "loans.initial_list_status")


class DimStatus(dy.Schema):
    """One row per state of a loan."""

    status_key = _key("Number of the state.", "loans.loan_status")
    loan_status = copy_column(Loans, "loans.loan_status")
    bucket = dy.String(
        check=one_of("current", "grace period", "16-30 days", "31-120 days", "default", "charged off", "paid"),
        description="Bucket of arrears (altura de mora), as of the mart arrears_buckets; paid where nothing is owed.",
        metadata=column_meta(unit="code", derived_from=["loans.loan_status"]),
    )
    bucket_position = _position("Position of the bucket, from 1 for current; 7 is paid.", "loans.loan_status")
    is_defaulted = _yes_no("Whether the loan is in default: Default, or charged off.", "loans.loan_status")
    is_late = _yes_no("Whether a payment is late, but the loan not in default (en mora).", "loans.loan_status")
    is_paid = _yes_no("Whether the loan was fully paid.", "loans.loan_status")
    meets_credit_policy = _yes_no("Whether the loan meets LendingClub's credit policy of today.", "loans.loan_status")


class DimBorrowerBand(dy.Schema):
    """One row per combination of bands of income, debt service and employment, of home and of verification."""

    borrower_band_key = _key(
        "The positions of the three bands and the numbers of home and verification, digit by digit.",
        *("borrowers.annual_inc", "borrowers.dti", "borrowers.emp_length_years"),
        *("borrowers.home_ownership", "borrowers.verification_status"),
    )
    income_position = _position("Position of the band of income; 0 is unknown.", "borrowers.annual_inc")
    income_band = _label("Band of the stated yearly income in USD, its lower edge in it.", "borrowers.annual_inc")
    dti_position = _position("Position of the band of debt service.", "borrowers.dti")
    dti_band = _label("Band of monthly debt service in % of the income, its lower edge in it.", "borrowers.dti")
    employment_position = _position("Position of the band of employment; 0 is unknown.", "borrowers.emp_length_years")
    employment_band = _label("Band of completed years in employment.", "borrowers.emp_length_years")
    home_ownership = copy_column(Borrowers, "borrowers.home_ownership")
    verification_status = copy_column(Borrowers, "borrowers.verification_status")


class FactLoan(dy.Schema):
    """One row per loan, as it stood when the file was made."""

    loan_id = copy_column(Loans, "loans.loan_id", is_key=True, references="loans")
    issue_date_key = _member("dim_date", "Month in which the loan was paid out, under its first day.", _DATES[0])
    last_payment_date_key = _member("dim_date", "Month of the last payment; 0 where none was made yet.", _DATES[1])
    next_payment_date_key = _member(
        "dim_date", "Month in which the next payment is due; 0 where the loan has ended.", _DATES[2]
    )
    grade_key = _member("dim_grade", "The loan's rating.", "dim_grade.grade_key", "loans.sub_grade")
    purpose_key = _member("dim_purpose", "What the money is for.", "dim_purpose.purpose_key", "loans.purpose")
    state_key = _member(
        "dim_state", "Where the borrower lives.", "dim_state.state_key", "borrowers.addr_state", "loans.member_id"
    )
    product_key = _member(
        *("dim_product", "Term, kind of application and market of the loan.", "dim_product.product_key"),
        *("loans.term_months", "loans.application_type", "loans.initial_list_status"),
    )
    status_key = _member("dim_status", "State of the loan.", "dim_status.status_key", "loans.loan_status")
    borrower_band_key = _member(
        *("dim_borrower_band", "Bands in which the borrower is.", "dim_borrower_band.borrower_band_key"),
        *("borrowers.annual_inc", "borrowers.dti", "borrowers.emp_length_years", "borrowers.home_ownership"),
        "borrowers.verification_status",
    )
    funded_usd = copy_column(
        Loans, "loans.funded_amnt", description="Amount paid out to the borrower (monto desembolsado)."
    )
    installment_usd = copy_column(Loans, "loans.installment")
    outstanding_usd = copy_column(
        Payments, "payments.out_prncp", description="Principal still owed (saldo de capital)."
    )
    received_usd = copy_column(Payments, "payments.total_pymnt")
    principal_paid_usd = copy_column(Payments, "payments.total_rec_prncp")
    interest_paid_usd = copy_column(Payments, "payments.total_rec_int")
    late_fees_usd = copy_column(Payments, "payments.total_rec_late_fee")
    recoveries_usd = copy_column(Payments, "payments.recoveries")
    recovery_fees_usd = copy_column(Payments, "payments.collection_recovery_fee")
    int_rate_pct = copy_column(Loans, "loans.int_rate")
    annual_inc_usd = copy_column(Borrowers, "borrowers.annual_inc")
    revol_bal_usd = copy_column(CreditHistory, "credit_history.revol_bal")


def _mart(name: str, description: str, contract: type[dy.Schema]) -> Mart:
    return Mart(name=name, description=description, contract=contract, group=_STAR)


STAR = (
    _mart("dim_date", "Days, for the months of issue and of payments, and the date unknown.", DimDate),
    _mart("dim_grade", "Grades and sub-grades.", DimGrade),
    _mart("dim_purpose", "What the money is for.", DimPurpose),
    _mart("dim_state", "US states and their regions.", DimState),
    _mart("dim_product", "What was agreed: term, kind of application, market.", DimProduct),
    _mart("dim_status", "States of a loan, with their buckets of arrears and what they count as.", DimStatus),
    _mart("dim_borrower_band", "Bands of borrowers, in every combination; not one borrower each.", DimBorrowerBand),
    _mart("fact_loan", "Loans: amounts paid out, owed and received, and references to the dimensions.", FactLoan),
)
