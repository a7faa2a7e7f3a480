SELECT
    loans.grade,
    year(loans.issue_date) AS issue_year,
    loans.loan_status,
    count(*) AS loans,
    sum(loans.funded_amnt) AS funded_usd,
    sum(payments.out_prncp) AS outstanding_usd,
    sum(payments.total_rec_prncp) AS principal_paid_usd,
    -- The file has fractions of a cent: rounded once, in the end.
    round(sum(payments.total_pymnt), 2) AS received_usd,
    round(sum(loans.int_rate * loans.funded_amnt) / nullif(sum(loans.funded_amnt), 0), 6) AS int_rate_pct
FROM credit_risk.loans
JOIN credit_risk.payments USING (loan_id)
GROUP BY ALL
