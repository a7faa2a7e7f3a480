"""Contracts of LendingClub's loans: one schema for each table.

Source of meanings: the publisher's LCDataDictionary.xlsx. Source of value sets, ranges and null limits: the whole file,
887,379 loans issued from June 2007 to December 2015, as they stood in January 2016.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import dataframely as dy
import polars as pl

from nequi_lake.datasets.contract import column_meta, one_of

# Null limits are the whole file's share of missing values and a small margin, or what a file of old loans needs where
# that is more: LendingClub began to report some bureau columns in 2012 and joint applications and others in 2015, so
# that every loan before lacks them, and a loan that has ended has no next payment.
_FEW = 0.005
_NEWER_COLUMN = 1.0

_AT_BUREAU = (0, 10_000_000)
_ON_LOAN = (0, 100_000)
_CENTS = pl.Decimal(18, 2)
UNROUNDED = pl.Decimal(18, 10)
"""Type of the amounts that the publisher's file does not round to cents: it has up to ten decimals of them."""
_LENDING_YEARS = (2007, 2020)
_VERIFICATION = ("Verified", "Source Verified", "Not Verified")


def _usd(
    source: str,
    description: str,
    *,
    bounds: tuple[int, int] = _AT_BUREAU,
    dtype: pl.Decimal = _CENTS,
    null_limit: float | None = None,
) -> dy.Decimal:
    return dy.Decimal(
        dtype.precision,
        dtype.scale,
        nullable=null_limit is not None,
        min=bounds[0],
        max=bounds[1],
        description=description,
        metadata=column_meta(unit="USD", source=source, null_limit=null_limit),
    )


def _percent(
    source: str, description: str, *, bounds: tuple[float, float] = (0.0, 1000.0), null_limit: float | None = None
) -> dy.Float64:
    return dy.Float64(
        nullable=null_limit is not None,
        min=bounds[0],
        max=bounds[1],
        description=description,
        metadata=column_meta(unit="%", source=source, null_limit=null_limit),
    )


def _integer(
    source: str, description: str, *, unit: str, bounds: tuple[int, int], null_limit: float | None = None
) -> dy.Int64:
    return dy.Int64(
        nullable=null_limit is not None,
        min=bounds[0],
        max=bounds[1],
        description=description,
        metadata=column_meta(unit=unit, source=source, null_limit=null_limit),
    )


_count = partial(_integer, unit="count", bounds=(0, 200))
_months = partial(_integer, unit="months", bounds=(0, 600))


def _date(source: str, description: str, *, since: int = _LENDING_YEARS[0], null_limit: float | None = None) -> dy.Date:
    return dy.Date(
        nullable=null_limit is not None,
        min=dt.date(since, 1, 1),
        max=dt.date(_LENDING_YEARS[1], 12, 31),
        description=description,
        metadata=column_meta(unit="date", source=source, null_limit=null_limit),
    )


def _code(source: str, description: str, *values: str, null_limit: float | None = None) -> dy.String:
    return dy.String(
        nullable=null_limit is not None,
        check=one_of(*values),
        description=description,
        metadata=column_meta(unit="code", source=source, null_limit=null_limit),
    )


def _loan_id(description: str, *, references: str | None = None) -> dy.Int64:
    return dy.Int64(
        primary_key=True,
        min=1,
        description=description,
        metadata=column_meta(unit="id", source="id", references=references),
    )


def _issue_year() -> dy.Int64:
    return dy.Int64(
        min=_LENDING_YEARS[0],
        max=_LENDING_YEARS[1],
        description="Year in which the loan was issued: its vintage.",
        metadata=column_meta(unit="year", source="issue_d"),
    )


class Borrowers(dy.Schema):
    """One row per borrower."""

    member_id = dy.Int64(
        primary_key=True,
        min=1,
        description="Identifier that LendingClub gave the borrower.",
        metadata=column_meta(unit="id", source="member_id"),
    )
    emp_title = dy.String(
        nullable=True,
        description="Occupation in the borrower's own words; for loans listed before late September 2013 the employer.",
        metadata=column_meta(unit="text", source="emp_title", null_limit=0.08),
    )
    emp_length_years = dy.Int64(
        nullable=True,
        min=0,
        max=10,
        description="Completed years in employment; 0 is less than one year, 10 is ten or more.",
        metadata=column_meta(unit="years", source="emp_length", null_limit=0.06, null_tokens=["n/a"]),
    )
    home_ownership = _code(
        "home_ownership",
        "How the borrower lives: rented, owned outright, with a mortgage, or otherwise.",
        *("MORTGAGE", "RENT", "OWN", "OTHER", "NONE", "ANY"),
    )
    annual_inc = _usd("annual_inc", "Yearly income, as the borrower stated it.", null_limit=_FEW)
    verification_status = _code(
        "verification_status",
        "Whether LendingClub checked the income, only where it comes from, or neither.",
        *_VERIFICATION,
    )
    zip_code = dy.String(
        regex="^[0-9]{3}xx$",
        description="First three digits of the borrower's postal code, the rest masked.",
        metadata=column_meta(unit="code", source="zip_code"),
    )
    addr_state = _code(
        "addr_state",
        "US state in which the borrower lives, or DC for the federal district.",
        *("AK", "AL", "AR", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS"),
        *("KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV"),
        *("NY", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY"),
    )
    dti = _percent(
        "dti",
        "Monthly debt service, without mortgage and this loan, as a share of the stated income; 9999 is the ceiling.",
        bounds=(0.0, 9999.0),
    )
    annual_inc_joint = _usd(
        "annual_inc_joint",
        "Yearly income of both applicants of a joint application, as they stated it.",
        null_limit=_NEWER_COLUMN,
    )
    dti_joint = _percent(
        "dti_joint",
        "Like dti, with the debts and incomes of both applicants of a joint application.",
        null_limit=_NEWER_COLUMN,
    )
    verification_status_joint = _code(
        "verification_status_joint",
        "Like verification_status, for the income of both applicants of a joint application.",
        *_VERIFICATION,
        null_limit=_NEWER_COLUMN,
    )


class Loans(dy.Schema):
    """One row per loan."""

    loan_id = _loan_id("Identifier that LendingClub gave the loan.")
    member_id = dy.Int64(
        min=1,
        description="The borrower.",
        metadata=column_meta(unit="id", source="member_id", references="borrowers"),
    )
    issue_date = _date("issue_d", "First day of the month in which the loan was paid out.")
    loan_amnt = _usd(
        "loan_amnt", "Amount applied for, after any cut by LendingClub's credit department.", bounds=(500, 40_000)
    )
    funded_amnt = _usd("funded_amnt", "Amount that was committed to the loan.", bounds=(500, 40_000))
    funded_amnt_inv = _usd(
        "funded_amnt_inv",
        "Share of funded_amnt that investors committed.",
        bounds=(0, 40_000),
        dtype=UNROUNDED,
    )
    term_months = dy.Int64(
        is_in=[36, 60],
        description="Number of monthly payments agreed.",
        metadata=column_meta(unit="months", source="term"),
    )
    int_rate = _percent("int_rate", "Yearly interest rate.", bounds=(1.0, 40.0))
    installment = _usd("installment", "Payment due each month.", bounds=(1, 2_000))
    grade = _code("grade", "LendingClub's rating of the loan's risk, A the best.", *"ABCDEFG")
    sub_grade = _code(
        "sub_grade",
        "The grade in five steps, 1 the best.",
        *(f"{grade}{step}" for grade in "ABCDEFG" for step in range(1, 6)),
    )
    loan_status = _code(
        "loan_status",
        "State of the loan when the file was made; days are days past due.",
        *("Issued", "Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)", "Default"),
        *("Charged Off", "Fully Paid"),
        *("Does not meet the credit policy. Status:Charged Off", "Does not meet the credit policy. Status:Fully Paid"),
    )
    pymnt_plan = dy.Bool(
        description="Whether a payment plan was agreed for the loan.",
        metadata=column_meta(unit="yes/no", source="pymnt_plan"),
    )
    purpose = _code(
        "purpose",
        "What the money is for, chosen by the borrower from a list.",
        *("car", "credit_card", "debt_consolidation", "educational", "home_improvement", "house", "major_purchase"),
        *("medical", "moving", "other", "renewable_energy", "small_business", "vacation", "wedding"),
    )
    title = dy.String(
        nullable=True,
        description="Title that the borrower gave the loan.",
        metadata=column_meta(unit="text", source="title", null_limit=_FEW),
    )
    desc = dy.String(
        nullable=True,
        description="What the borrower wrote to the investors about the loan, with its HTML tags and entities.",
        metadata=column_meta(unit="text", source="desc", null_limit=0.88),
    )
    initial_list_status = _code(
        "initial_list_status", "Market of the loan's first listing: w for whole loans, f for fractions.", "f", "w"
    )
    application_type = _code(
        "application_type", "Whether one person applied or two did together.", "INDIVIDUAL", "JOINT"
    )
    policy_code = dy.Int64(
        min=1,
        max=2,
        description="LendingClub's code of the product: 1 is offered in public, 2 is not.",
        metadata=column_meta(unit="code", source="policy_code"),
    )


class CreditHistory(dy.Schema):
    """One row per loan: what the credit bureau said of its borrower at the application."""

    loan_id = _loan_id("The loan that was applied for.", references="loans")
    issue_year = _issue_year()
    earliest_cr_line_date = _date(
        "earliest_cr_line",
        "First day of the month in which the borrower's oldest known credit line was opened.",
        since=1920,
        null_limit=_FEW,
    )
    open_acc = _count("open_acc", "Credit lines that are open.", null_limit=_FEW)
    total_acc = _count("total_acc", "Credit lines on file, open or closed.", null_limit=_FEW)
    delinq_2yrs = _count(
        "delinq_2yrs", "Times that a payment was 30 days late or more, in the last two years.", null_limit=_FEW
    )
    acc_now_delinq = _count("acc_now_delinq", "Accounts that are in arrears.", null_limit=_FEW)
    mths_since_last_delinq = _months(
        "mths_since_last_delinq", "Months since the last late payment; missing where none is on file.", null_limit=0.72
    )
    mths_since_last_major_derog = _months(
        "mths_since_last_major_derog",
        "Months since an account was last 90 days late or worse; missing where none is on file.",
        null_limit=_NEWER_COLUMN,
    )
    mths_since_last_record = _months(
        "mths_since_last_record",
        "Months since the last derogatory public record; missing where none is on file.",
        null_limit=0.98,
    )
    pub_rec = _count("pub_rec", "Derogatory public records, such as bankruptcies and tax liens.", null_limit=_FEW)
    collections_12_mths_ex_med = _count(
        "collections_12_mths_ex_med",
        "Debts handed to collectors in the last twelve months, medical ones left out.",
        null_limit=_FEW,
    )
    tot_coll_amt = _usd("tot_coll_amt", "All that was ever owed to collectors.", null_limit=_NEWER_COLUMN)
    revol_bal = _usd("revol_bal", "Balance of all revolving credit.")
    revol_util = _percent("revol_util", "Balance of revolving credit as a share of its limits.", null_limit=_FEW)
    total_rev_hi_lim = _usd(
        "total_rev_hi_lim", "Limits of all revolving credit; 9,999,999 is the ceiling.", null_limit=_NEWER_COLUMN
    )
    tot_cur_bal = _usd("tot_cur_bal", "Balance of all accounts.", null_limit=_NEWER_COLUMN)
    inq_last_6mths = _count(
        "inq_last_6mths",
        "Inquiries by lenders in the last six months, those for cars and mortgages left out.",
        null_limit=_FEW,
    )
    inq_last_12m = _count(
        "inq_last_12m",
        "Inquiries by lenders in the last twelve months; the source has a few negative ones.",
        bounds=(-10, 200),
        null_limit=_NEWER_COLUMN,
    )
    inq_fi = _count("inq_fi", "Inquiries by personal finance companies.", null_limit=_NEWER_COLUMN)
    total_cu_tl = _count("total_cu_tl", "Accounts with finance companies.", null_limit=_NEWER_COLUMN)
    open_acc_6m = _count("open_acc_6m", "Accounts opened in the last six months.", null_limit=_NEWER_COLUMN)
    open_il_6m = _count("open_il_6m", "Installment accounts that are active.", null_limit=_NEWER_COLUMN)
    open_il_12m = _count(
        "open_il_12m", "Installment accounts opened in the last twelve months.", null_limit=_NEWER_COLUMN
    )
    open_il_24m = _count("open_il_24m", "Installment accounts opened in the last two years.", null_limit=_NEWER_COLUMN)
    mths_since_rcnt_il = _months(
        "mths_since_rcnt_il",
        "Months since the newest installment account was opened; missing where there is none.",
        null_limit=_NEWER_COLUMN,
    )
    total_bal_il = _usd("total_bal_il", "Balance of all installment accounts.", null_limit=_NEWER_COLUMN)
    il_util = _percent(
        "il_util",
        "Balance of the installment accounts as a share of what was first borrowed.",
        null_limit=_NEWER_COLUMN,
    )
    open_rv_12m = _count(
        "open_rv_12m", "Revolving accounts opened in the last twelve months.", null_limit=_NEWER_COLUMN
    )
    open_rv_24m = _count("open_rv_24m", "Revolving accounts opened in the last two years.", null_limit=_NEWER_COLUMN)
    max_bal_bc = _usd("max_bal_bc", "Highest balance owed on a revolving account.", null_limit=_NEWER_COLUMN)
    all_util = _percent("all_util", "Balance of all accounts as a share of their limits.", null_limit=_NEWER_COLUMN)


class Payments(dy.Schema):
    """One row per loan: what was paid and what is owed when the file was made."""

    loan_id = _loan_id("The loan that is paid off.", references="loans")
    issue_year = _issue_year()
    out_prncp = _usd("out_prncp", "Principal still owed.", bounds=_ON_LOAN)
    out_prncp_inv = _usd("out_prncp_inv", "Principal still owed to the investors.", bounds=_ON_LOAN)
    total_pymnt = _usd("total_pymnt", "All payments received.", bounds=_ON_LOAN, dtype=UNROUNDED)
    total_pymnt_inv = _usd("total_pymnt_inv", "Payments received for the investors' share.", bounds=_ON_LOAN)
    total_rec_prncp = _usd("total_rec_prncp", "Part of the payments that paid off principal.", bounds=_ON_LOAN)
    total_rec_int = _usd("total_rec_int", "Part of the payments that was interest.", bounds=_ON_LOAN)
    total_rec_late_fee = _usd(
        "total_rec_late_fee", "Part of the payments that was late fees.", bounds=_ON_LOAN, dtype=UNROUNDED
    )
    recoveries = _usd("recoveries", "Recovered after the loan was charged off, before fees.", bounds=_ON_LOAN)
    collection_recovery_fee = _usd(
        "collection_recovery_fee",
        "Collectors' fees on what was recovered after the charge-off.",
        bounds=_ON_LOAN,
        dtype=UNROUNDED,
    )
    last_pymnt_date = _date(
        "last_pymnt_d",
        "First day of the month of the last payment; missing where none was made yet.",
        null_limit=0.03,
    )
    last_pymnt_amnt = _usd("last_pymnt_amnt", "Amount of the last payment.", bounds=_ON_LOAN)
    next_pymnt_date = _date(
        "next_pymnt_d",
        "First day of the month in which the next payment is due; missing where the loan has ended.",
        null_limit=0.92,
    )
    last_credit_pull_date = _date(
        "last_credit_pull_d",
        "First day of the month in which LendingClub last asked the credit bureau about the borrower.",
        null_limit=_FEW,
    )
