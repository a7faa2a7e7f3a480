"""Asks the lake, or a warehouse, what a dashboard asks, of the star schema or of the tables: ``star`` or ``tables``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks.clock import part
from nequi_lake.lake.read.reader import Lake

_TABLES = (
    "credit_risk.loans JOIN credit_risk.borrowers USING (member_id) JOIN credit_risk.payments USING (loan_id) "
    "JOIN credit_risk.credit_history USING (loan_id)"
)
_DEFAULTED = "(loan_status = 'Default' OR loan_status LIKE '%Charged Off')"

QUESTIONS = {
    "owed by state": {
        "star": "SELECT addr_state, round(sum(outstanding_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_state USING (state_key) GROUP BY 1 ORDER BY 1",
        "tables": f"SELECT addr_state, round(sum(out_prncp)) FROM {_TABLES} GROUP BY 1 ORDER BY 1",
    },
    "loans by quarter and grade": {
        "star": "SELECT year, quarter, grade, count(*), round(sum(funded_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_date ON date_key = issue_date_key JOIN credit_risk.dim_grade USING (grade_key) "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "tables": "SELECT extract(year FROM issue_date), extract(quarter FROM issue_date), grade, count(*), "
        f"round(sum(funded_amnt)) FROM {_TABLES} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    },
    "defaults by purpose": {
        "star": "SELECT purpose, count(*) FILTER (WHERE is_defaulted), count(*) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_purpose USING (purpose_key) JOIN credit_risk.dim_status USING (status_key) "
        "GROUP BY 1 ORDER BY 1",
        "tables": f"SELECT purpose, count(*) FILTER (WHERE {_DEFAULTED}), count(*) FROM {_TABLES} "
        "GROUP BY 1 ORDER BY 1",
    },
    "recovered by home and verification": {
        "star": "SELECT home_ownership, verification_status, round(sum(recoveries_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_borrower_band USING (borrower_band_key) GROUP BY 1, 2 ORDER BY 1, 2",
        "tables": f"SELECT home_ownership, verification_status, round(sum(recoveries)) FROM {_TABLES} "
        "GROUP BY 1, 2 ORDER BY 1, 2",
    },
    "received in 2015 by product": {
        "star": "SELECT term_months, application_type, round(sum(received_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_date ON date_key = issue_date_key JOIN credit_risk.dim_product USING (product_key) "
        "WHERE year = 2015 GROUP BY 1, 2 ORDER BY 1, 2",
        "tables": f"SELECT term_months, application_type, round(sum(total_pymnt)) FROM {_TABLES} "
        "WHERE extract(year FROM issue_date) = 2015 GROUP BY 1, 2 ORDER BY 1, 2",
    },
}
"""Question → where it is asked → the query; both give the same rows."""


def main(where: str, database: str = "") -> None:
    """Ask all questions: of the lake, or of a database that has its tables."""
    with asked(database) as ask:
        # What is loaded and looked up at the first question is not the question's.
        ask("SELECT count(*) FROM credit_risk.loans")
        for question, queries in QUESTIONS.items():
            with part(question):
                ask(queries[where])


@contextmanager
def asked(database: str) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """What asks the lake, or a database: query → rows."""
    if not database:
        lake = Lake.from_env()
        yield lambda query: [tuple(row.values()) for row in lake.sql(query).to_pylist()]
        return
    with psycopg.connect(database) as connection:
        yield lambda query: connection.execute(query.encode()).fetchall()


if __name__ == "__main__":
    main(*sys.argv[1:])
