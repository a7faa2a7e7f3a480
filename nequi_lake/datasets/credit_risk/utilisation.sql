WITH banded AS (
    SELECT
        CASE
            WHEN revol_util IS NULL THEN 8
            WHEN revol_util <= 0 THEN 1
            WHEN revol_util <= 100 THEN 1 + CAST(ceil(revol_util / 20) AS BIGINT)
            ELSE 7
        END AS position,
        *
    FROM credit_risk.loans
    JOIN credit_risk.credit_history USING (loan_id)
    JOIN credit_risk.payments USING (loan_id)
)

SELECT
    CASE position
        WHEN 1 THEN '0'
        WHEN 7 THEN 'over 100'
        WHEN 8 THEN 'unknown'
        ELSE 'over ' || 20 * (position - 2) || ' to ' || 20 * (position - 1)
    END AS utilisation_band,
    grade,
    position,
    count(DISTINCT member_id) AS borrowers,
    count(*) AS loans,
    sum(revol_bal) AS revolving_balance_usd,
    round(avg(revol_util), 6) AS utilisation_pct,
    sum(out_prncp) AS outstanding_usd,
    count(*) FILTER (loan_status = 'Default' OR loan_status LIKE '%Charged Off') AS defaulted_loans,
    count(*) FILTER (loan_status = 'Default' OR loan_status LIKE '%Charged Off') / count(*) AS default_rate
FROM banded
GROUP BY ALL
