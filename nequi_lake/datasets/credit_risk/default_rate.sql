WITH outcomes AS (
    SELECT
        grade,
        purpose,
        year(issue_date) AS issue_year,
        loan_status = 'Default' OR loan_status LIKE '%Charged Off' AS is_default,
        loan_status LIKE '%Fully Paid' AS is_paid
    FROM credit_risk.loans
)

SELECT
    grade,
    purpose,
    issue_year,
    count(*) AS loans,
    count(*) FILTER (is_default) AS defaulted_loans,
    count(*) FILTER (is_paid) AS paid_loans,
    count(*) FILTER (NOT is_default AND NOT is_paid) AS open_loans,
    count(*) FILTER (is_default) / count(*) AS default_rate,
    count(*) FILTER (is_default) / nullif(count(*) FILTER (is_default OR is_paid), 0) AS ended_default_rate,
    bool_or(NOT is_default AND NOT is_paid) AS is_immature
FROM outcomes
GROUP BY ALL
