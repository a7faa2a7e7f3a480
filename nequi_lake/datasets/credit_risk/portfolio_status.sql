-- Amounts are rounded to cents, so that the order in which they are added does not show.
SELECT
    loans.grade,
    year(loans.issue_date) AS issue_year,
    loans.loan_status,
    count(*) AS loans,
    round(sum(loans.funded_amnt), 2) AS funded_usd,
    round(sum(payments.out_prncp), 2) AS outstanding_usd,
    round(sum(payments.total_rec_prncp), 2) AS principal_paid_usd,
    round(sum(payments.total_pymnt), 2) AS received_usd,
    round(sum(loans.int_rate * loans.funded_amnt) / nullif(sum(loans.funded_amnt), 0), 6) AS int_rate_pct
FROM credit_risk.loans
JOIN credit_risk.payments USING (loan_id)
GROUP BY ALL
