WITH outcomes AS (
    SELECT
        CAST(date_trunc('quarter', issue_date) AS DATE) AS issue_quarter,
        term_months,
        funded_amnt,
        loan_status = 'Default' OR loan_status LIKE '%Charged Off' AS is_default,
        loan_status LIKE '%Fully Paid' AS is_paid,
        loan_status IN ('In Grace Period', 'Late (16-30 days)', 'Late (31-120 days)') AS is_late,
        loan_status IN ('Issued', 'Current') AS is_current,
        funded_amnt - total_rec_prncp - (recoveries - collection_recovery_fee) AS unpaid
    FROM credit_risk.loans
    JOIN credit_risk.payments USING (loan_id)
),

summed AS (
    SELECT
        issue_quarter,
        term_months,
        count(*) AS loans,
        sum(funded_amnt) AS funded_usd,
        count(*) FILTER (is_default) / count(*) AS defaulted_share,
        count(*) FILTER (is_paid) / count(*) AS paid_share,
        count(*) FILTER (is_late) / count(*) AS late_share,
        count(*) FILTER (is_current) / count(*) AS current_share,
        coalesce(round(sum(unpaid) FILTER (is_default), 2), 0) AS loss_usd
    FROM outcomes
    GROUP BY ALL
)

SELECT
    *,
    datediff('month', issue_quarter, (SELECT max(last_pymnt_date) FROM credit_risk.payments)) AS months_on_book,
    loss_usd / nullif(funded_usd, 0) AS loss_rate
FROM summed
