"""Asks the lake what a dashboard asks, of the star schema or of the tables: ``star`` or ``tables``."""

import sys

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
        "JOIN credit_risk.dim_state USING (state_key) GROUP BY ALL ORDER BY ALL",
        "tables": f"SELECT addr_state, round(sum(out_prncp)) FROM {_TABLES} GROUP BY ALL ORDER BY ALL",
    },
    "loans by quarter and grade": {
        "star": "SELECT year, quarter, grade, count(*), round(sum(funded_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_date ON date_key = issue_date_key JOIN credit_risk.dim_grade USING (grade_key) "
        "GROUP BY ALL ORDER BY ALL",
        "tables": f"SELECT year(issue_date), quarter(issue_date), grade, count(*), round(sum(funded_amnt)) "
        f"FROM {_TABLES} GROUP BY ALL ORDER BY ALL",
    },
    "defaults by purpose": {
        "star": "SELECT purpose, count(*) FILTER (is_defaulted), count(*) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_purpose USING (purpose_key) JOIN credit_risk.dim_status USING (status_key) "
        "GROUP BY ALL ORDER BY ALL",
        "tables": f"SELECT purpose, count(*) FILTER ({_DEFAULTED}), count(*) FROM {_TABLES} GROUP BY ALL ORDER BY ALL",
    },
    "recovered by home and verification": {
        "star": "SELECT home_ownership, verification_status, round(sum(recoveries_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_borrower_band USING (borrower_band_key) GROUP BY ALL ORDER BY ALL",
        "tables": f"SELECT home_ownership, verification_status, round(sum(recoveries)) FROM {_TABLES} "
        "GROUP BY ALL ORDER BY ALL",
    },
    "received in 2015 by product": {
        "star": "SELECT term_months, application_type, round(sum(received_usd)) FROM credit_risk.fact_loan "
        "JOIN credit_risk.dim_date ON date_key = issue_date_key JOIN credit_risk.dim_product USING (product_key) "
        "WHERE year = 2015 GROUP BY ALL ORDER BY ALL",
        "tables": f"SELECT term_months, application_type, round(sum(total_pymnt)) FROM {_TABLES} "
        "WHERE year(issue_date) = 2015 GROUP BY ALL ORDER BY ALL",
    },
}
"""Question → where it is asked → the query; both give the same rows."""


def main(where: str) -> None:
    lake = Lake.from_env()
    # What is loaded and looked up when a lake is first asked is not the question's.
    lake.sql("SELECT count(*) FROM credit_risk.loans")
    for question, queries in QUESTIONS.items():
        with part(question):
            lake.sql(queries[where])


if __name__ == "__main__":
    main(sys.argv[1])
