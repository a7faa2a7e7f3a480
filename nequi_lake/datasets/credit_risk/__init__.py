"""LendingClub's loans with their borrowers, credit histories and payments, for arrears, PD, utilisation and vintages.

Source of meanings: the publisher's LCDataDictionary.xlsx. Source of value sets, ranges and null limits: the whole file,
887,379 loans issued from June 2007 to December 2015, as they stood in January 2016.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

import dataframely as dy
import polars as pl

from nequi_lake.datasets.contract import about, one_of
from nequi_lake.datasets.credit_risk.marts import MARTS
from nequi_lake.datasets.samples.credit_risk import sample
from nequi_lake.datasets.spec import Dataset, Partition, Table
from nequi_lake.formats import CsvFile, OpaqueFile

# Null limits are the whole file's share of missing values and a small margin, or what a file of old loans needs where
# that is more: LendingClub began to report some bureau columns in 2012 and joint applications and others in 2015, so
# that every loan before lacks them, and a loan that has ended has no next payment.
_FEW = 0.005
_NEWER_COLUMN = 1.0

_AT_BUREAU = (0.0, 10_000_000.0)
_ON_LOAN = (0.0, 100_000.0)
_LENDING_YEARS = (2007, 2020)
_VERIFICATION = ("Verified", "Source Verified", "Not Verified")


def month(raw: str) -> pl.Expr:
    """Read the first day of a month written like ``Dec-2011``; null for anything else, ``Dec-11`` included."""
    text = pl.col(raw)
    return pl.when(text.str.len_bytes() == len("Dec-2011")).then(("01-" + text).str.to_date("%d-%b-%Y", strict=False))


def trimmed(raw: str) -> pl.Expr:
    """Take the spaces around a text off it; null where nothing is left."""
    text = pl.col(raw).str.strip_chars()
    return pl.when(text != "").then(text)


def emp_length_years() -> pl.Expr:
    """Read whole years out of ``< 1 year``, ``1 year`` … ``9 years``, ``10+ years``; null for anything else."""
    text = pl.col("emp_length").str.strip_chars()
    years = text.str.head(1).cast(pl.Int64, strict=False)
    is_plain = text.str.slice(1).is_in([" year", " years"]) & (years > 0)
    return pl.when(text == "< 1 year").then(0).when(text == "10+ years").then(10).when(is_plain).then(years)


def term_months() -> pl.Expr:
    """Read the months out of a term like ``36 months``; null for anything else."""
    text = pl.col("term").str.strip_chars()
    months = text.str.strip_suffix(" months").cast(pl.Int64, strict=False)
    return pl.when(text.str.contains(r"^\d+ months$")).then(months)


def yes_no(raw: str) -> pl.Expr:
    """Read ``y`` as true and ``n`` as false; null for anything else."""
    return pl.when(pl.col(raw) == "y").then(True).when(pl.col(raw) == "n").then(False)


def issue_year() -> pl.Expr:
    """Read the year out of ``issue_d``; null where that is no month."""
    return month("issue_d").dt.year().cast(pl.Int64)


def _amount(
    source: str, description: str, *, unit: str, within: tuple[float, float], null_limit: float | None = None
) -> dy.Float64:
    return dy.Float64(
        nullable=null_limit is not None,
        min=within[0],
        max=within[1],
        description=description,
        metadata=about(unit=unit, source=source, null_limit=null_limit),
    )


def _whole(
    source: str, description: str, *, unit: str, within: tuple[int, int], null_limit: float | None = None
) -> dy.Int64:
    return dy.Int64(
        nullable=null_limit is not None,
        min=within[0],
        max=within[1],
        description=description,
        metadata=about(unit=unit, source=source, null_limit=null_limit),
    )


_usd = partial(_amount, unit="USD", within=_AT_BUREAU)
_percent = partial(_amount, unit="%", within=(0.0, 1000.0))
_count = partial(_whole, unit="count", within=(0, 200))
_months = partial(_whole, unit="months", within=(0, 600))


def _date(source: str, description: str, *, since: int = _LENDING_YEARS[0], null_limit: float | None = None) -> dy.Date:
    return dy.Date(
        nullable=null_limit is not None,
        min=dt.date(since, 1, 1),
        max=dt.date(_LENDING_YEARS[1], 12, 31),
        description=description,
        metadata=about(unit="date", source=source, null_limit=null_limit),
    )


def _code(source: str, description: str, *values: str, null_limit: float | None = None) -> dy.String:
    return dy.String(
        nullable=null_limit is not None,
        check=one_of(*values),
        description=description,
        metadata=about(unit="code", source=source, null_limit=null_limit),
    )


def _loan_id(description: str, *, references: str | None = None) -> dy.Int64:
    return dy.Int64(
        primary_key=True,
        min=1,
        description=description,
        metadata=about(unit="id", source="id", references=references),
    )


def _issue_year() -> dy.Int64:
    return dy.Int64(
        min=_LENDING_YEARS[0],
        max=_LENDING_YEARS[1],
        description="Year in which the loan was issued: its vintage.",
        metadata=about(unit="year", source="issue_d"),
    )


class Borrowers(dy.Schema):
    """One row a borrower."""

    member_id = dy.Int64(
        primary_key=True,
        min=1,
        description="Identifier that LendingClub gave the borrower.",
        metadata=about(unit="id", source="member_id"),
    )
    emp_title = dy.String(
        nullable=True,
        description="Occupation in the borrower's own words; for loans listed before late September 2013 the employer.",
        metadata=about(unit="text", source="emp_title", null_limit=0.08),
    )
    emp_length_years = dy.Int64(
        nullable=True,
        min=0,
        max=10,
        description="Completed years in employment; 0 is less than one year, 10 is ten or more.",
        metadata=about(unit="years", source="emp_length", null_limit=0.06, missing=["n/a"]),
    )
    home_ownership = _code(
        "home_ownership",
        "How the borrower lives: rented, owned outright, with a mortgage, or otherwise.",
        *("MORTGAGE", "RENT", "OWN", "OTHER", "NONE", "ANY"),
    )
    annual_inc = _usd("annual_inc", "Income a year, as the borrower stated it.", null_limit=_FEW)
    verification_status = _code(
        "verification_status",
        "Whether LendingClub checked the income, only where it comes from, or neither.",
        *_VERIFICATION,
    )
    zip_code = dy.String(
        regex=r"^\d{3}xx$",
        description="First three digits of the borrower's postal code, the rest masked.",
        metadata=about(unit="code", source="zip_code"),
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
        "Debt service a month, without mortgage and this loan, as a share of the stated income; 9999 is the ceiling.",
        within=(0.0, 9999.0),
    )
    annual_inc_joint = _usd(
        "annual_inc_joint",
        "Income a year of both applicants of a joint application, as they stated it.",
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
    """One row a loan."""

    loan_id = _loan_id("Identifier that LendingClub gave the loan.")
    member_id = dy.Int64(
        min=1,
        description="The borrower.",
        metadata=about(unit="id", source="member_id", references="borrowers"),
    )
    issue_date = _date("issue_d", "First day of the month in which the loan was paid out.")
    loan_amnt = _usd(
        "loan_amnt", "Amount applied for, after any cut by LendingClub's credit department.", within=(500.0, 40_000.0)
    )
    funded_amnt = _usd("funded_amnt", "Amount that was committed to the loan.", within=(500.0, 40_000.0))
    funded_amnt_inv = _usd("funded_amnt_inv", "Share of funded_amnt that investors committed.", within=(0.0, 40_000.0))
    term_months = dy.Int64(
        is_in=[36, 60],
        description="Number of monthly payments agreed.",
        metadata=about(unit="months", source="term"),
    )
    int_rate = _percent("int_rate", "Interest rate a year.", within=(1.0, 40.0))
    installment = _usd("installment", "Payment due each month.", within=(1.0, 2_000.0))
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
        metadata=about(unit="yes/no", source="pymnt_plan"),
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
        metadata=about(unit="text", source="title", null_limit=_FEW),
    )
    desc = dy.String(
        nullable=True,
        description="What the borrower told the investors about the loan, with its HTML tags and entities.",
        metadata=about(unit="text", source="desc", null_limit=0.88),
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
        metadata=about(unit="code", source="policy_code"),
    )


class CreditHistory(dy.Schema):
    """One row a loan: what the credit bureau said of its borrower at the application."""

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
        within=(-10, 200),
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
    """One row a loan: what was paid and what is owed when the file was made."""

    loan_id = _loan_id("The loan that is paid off.", references="loans")
    issue_year = _issue_year()
    out_prncp = _usd("out_prncp", "Principal still owed.", within=_ON_LOAN)
    out_prncp_inv = _usd("out_prncp_inv", "Principal still owed to the investors.", within=_ON_LOAN)
    total_pymnt = _usd("total_pymnt", "All payments received.", within=_ON_LOAN)
    total_pymnt_inv = _usd("total_pymnt_inv", "Payments received for the investors' share.", within=_ON_LOAN)
    total_rec_prncp = _usd("total_rec_prncp", "Part of the payments that paid off principal.", within=_ON_LOAN)
    total_rec_int = _usd("total_rec_int", "Part of the payments that was interest.", within=_ON_LOAN)
    total_rec_late_fee = _usd("total_rec_late_fee", "Part of the payments that was late fees.", within=_ON_LOAN)
    recoveries = _usd("recoveries", "Recovered after the loan was charged off, before fees.", within=_ON_LOAN)
    collection_recovery_fee = _usd(
        "collection_recovery_fee", "Collectors' fees on what was recovered after the charge-off.", within=_ON_LOAN
    )
    last_pymnt_date = _date(
        "last_pymnt_d",
        "First day of the month of the last payment; missing where none was made yet.",
        null_limit=0.03,
    )
    last_pymnt_amnt = _usd("last_pymnt_amnt", "Amount of the last payment.", within=_ON_LOAN)
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


DATASET = Dataset(
    name="credit_risk",
    slug="ranadeep/credit-risk-dataset",
    title="Credit risk: LendingClub loans",
    licence="GPL 2",
    use_case="Arrears, probability of default, utilisation, portfolio status and vintages of consumer loans.",
    sample=sample,
    files=(
        CsvFile(
            name="loan.csv",
            description="LendingClub's loans of 2007 to 2015, one a record, as they stood in January 2016.",
            columns=(
                *("id", "member_id", "loan_amnt", "funded_amnt", "funded_amnt_inv", "term", "int_rate", "installment"),
                *("grade", "sub_grade", "emp_title", "emp_length", "home_ownership", "annual_inc"),
                *("verification_status", "issue_d", "loan_status", "pymnt_plan", "url", "desc", "purpose", "title"),
                *("zip_code", "addr_state", "dti", "delinq_2yrs", "earliest_cr_line", "inq_last_6mths"),
                *("mths_since_last_delinq", "mths_since_last_record", "open_acc", "pub_rec", "revol_bal", "revol_util"),
                *("total_acc", "initial_list_status", "out_prncp", "out_prncp_inv", "total_pymnt", "total_pymnt_inv"),
                *("total_rec_prncp", "total_rec_int", "total_rec_late_fee", "recoveries", "collection_recovery_fee"),
                *("last_pymnt_d", "last_pymnt_amnt", "next_pymnt_d", "last_credit_pull_d"),
                *("collections_12_mths_ex_med", "mths_since_last_major_derog", "policy_code", "application_type"),
                *("annual_inc_joint", "dti_joint", "verification_status_joint", "acc_now_delinq", "tot_coll_amt"),
                *("tot_cur_bal", "open_acc_6m", "open_il_6m", "open_il_12m", "open_il_24m", "mths_since_rcnt_il"),
                *("total_bal_il", "il_util", "open_rv_12m", "open_rv_24m", "max_bal_bc", "all_util"),
                *("total_rev_hi_lim", "inq_fi", "total_cu_tl", "inq_last_12m"),
            ),
            dropped={"url": "Says nothing but the loan's id: a page of LendingClub's with loan_id=<id> at its end."},
        ),
        OpaqueFile(
            name="LCDataDictionary.xlsx",
            description="LendingClub's own descriptions of the columns, for people; the lake keeps it unread.",
        ),
    ),
    tables=(
        Table(
            name="borrowers",
            description="Who borrows: employment, home, income, place, and a joint applicant's figures.",
            contract=Borrowers,
            parse={"emp_title": trimmed("emp_title"), "emp_length_years": emp_length_years()},
        ),
        Table(
            name="loans",
            description="Terms, rating, purpose and state of each loan.",
            contract=Loans,
            parse={
                "issue_date": month("issue_d"),
                "term_months": term_months(),
                "pymnt_plan": yes_no("pymnt_plan"),
                "title": trimmed("title"),
            },
            partition_by=Partition("issue_date", by_year=True),
        ),
        Table(
            name="credit_history",
            description="The credit bureau's record of each loan's borrower, as of the application.",
            contract=CreditHistory,
            parse={"issue_year": issue_year(), "earliest_cr_line_date": month("earliest_cr_line")},
            partition_by=Partition("issue_year"),
        ),
        Table(
            name="payments",
            description="What was paid on each loan, what is owed, and when the next payment is due.",
            contract=Payments,
            parse={
                "issue_year": issue_year(),
                "last_pymnt_date": month("last_pymnt_d"),
                "next_pymnt_date": month("next_pymnt_d"),
                "last_credit_pull_date": month("last_credit_pull_d"),
            },
            partition_by=Partition("issue_year"),
        ),
    ),
    marts=MARTS,
)
