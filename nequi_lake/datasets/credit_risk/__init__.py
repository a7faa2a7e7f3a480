"""LendingClub's loans with their borrowers, credit histories and payments, for arrears, PD, utilisation and vintages.

The declaration, and the expressions that read the raw texts; the contracts are in ``contracts.py``, the marts in
``marts.py``, the star schema in ``star.py``.
"""

from __future__ import annotations

import polars as pl

from nequi_lake.datasets.credit_risk.contracts import UNROUNDED, Borrowers, CreditHistory, Loans, Payments
from nequi_lake.datasets.credit_risk.marts import MARTS
from nequi_lake.datasets.credit_risk.star import STAR
from nequi_lake.datasets.spec import Dataset, Partition, Table
from nequi_lake.formats import CsvFile, OpaqueFile


def month(raw: str) -> pl.Expr:
    """Read the first day of a month written like ``Dec-2011``; null for anything else, ``Dec-11`` included."""
    text = pl.col(raw)
    return pl.when(text.str.len_bytes() == len("Dec-2011")).then(("01-" + text).str.to_date("%d-%b-%Y", strict=False))


def trimmed(raw: str) -> pl.Expr:
    """Strip the spaces around a text; null where nothing is left."""
    text = pl.col(raw).str.strip_chars()
    return pl.when(text != "").then(text)


def unrounded(raw: str) -> pl.Expr:
    """Read an amount of up to ten decimals, also one far below a cent, which is written like ``6.3e-09``."""
    text = pl.col(raw).str.strip_chars()
    plain = pl.when(text.str.contains("^[+-]?[0-9]+(?:[.][0-9]{0,10}0*)?$")).then(text).cast(UNROUNDED, strict=False)
    number = pl.when(text.str.contains("^[0-9](?:[.][0-9]+)?[eE]-[0-9]{2}$")).then(text).cast(pl.Float64)
    tiny = number.cast(UNROUNDED)
    return pl.coalesce(plain, pl.when(tiny.cast(pl.Float64) == number).then(tiny))


def emp_length_years() -> pl.Expr:
    """Read whole years from ``< 1 year``, ``1 year`` … ``9 years``, ``10+ years``; null for anything else."""
    text = pl.col("emp_length").str.strip_chars()
    years = text.str.head(1).cast(pl.Int64, strict=False)
    is_plain = text.str.slice(1).is_in([" year", " years"]) & (years > 0)
    return pl.when(text == "< 1 year").then(0).when(text == "10+ years").then(10).when(is_plain).then(years)


def term_months() -> pl.Expr:
    """Read the months from a term like ``36 months``; null for anything else."""
    text = pl.col("term").str.strip_chars()
    months = text.str.strip_suffix(" months").cast(pl.Int64, strict=False)
    return pl.when(text.str.contains("^[0-9]+ months$")).then(months)


def yes_no(raw: str) -> pl.Expr:
    """Read ``y`` as true and ``n`` as false; null for anything else."""
    return pl.when(pl.col(raw) == "y").then(True).when(pl.col(raw) == "n").then(False)


def issue_year() -> pl.Expr:
    """Read the year from ``issue_d``; null where that is not a month."""
    return month("issue_d").dt.year().cast(pl.Int64)


DATASET = Dataset(
    name="credit_risk",
    slug="ranadeep/credit-risk-dataset",
    title="Credit risk: LendingClub loans",
    licence="GPL 2",
    use_case="Arrears, probability of default, utilisation, portfolio status and vintages of consumer loans.",
    owner="data-platform@nequi.com",
    files=(
        CsvFile(
            name="loan.csv",
            description="LendingClub's loans of 2007 to 2015, one per record, as they stood in January 2016.",
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
            description="LendingClub's own descriptions of the columns, for human readers; kept, not read.",
            optional=True,
        ),
    ),
    ignored={"loan_header.txt": "The names of the columns, which loan.csv has too."},
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
                "funded_amnt_inv": unrounded("funded_amnt_inv"),
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
                **{name: unrounded(name) for name in ("total_pymnt", "total_rec_late_fee", "collection_recovery_fee")},
            },
            partition_by=Partition("issue_year"),
        ),
    ),
    marts=(*MARTS, *STAR),
)
