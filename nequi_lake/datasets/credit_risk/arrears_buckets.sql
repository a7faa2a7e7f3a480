WITH buckets (position, bucket) AS (
    VALUES
        (1, 'current'),
        (2, 'grace period'),
        (3, '16-30 days'),
        (4, '31-120 days'),
        (5, 'default'),
        (6, 'charged off')
),

in_buckets AS (
    SELECT
        CASE
            WHEN loan_status IN ('Issued', 'Current') THEN 'current'
            WHEN loan_status = 'In Grace Period' THEN 'grace period'
            WHEN loan_status = 'Late (16-30 days)' THEN '16-30 days'
            WHEN loan_status = 'Late (31-120 days)' THEN '31-120 days'
            WHEN loan_status = 'Default' THEN 'default'
            WHEN loan_status LIKE '%Charged Off' THEN 'charged off'
        END AS bucket,
        out_prncp,
        funded_amnt - total_rec_prncp AS unpaid
    FROM credit_risk.loans
    JOIN credit_risk.payments USING (loan_id)
),

summed AS (
    SELECT
        bucket,
        count(*) AS loans,
        sum(out_prncp) AS outstanding_usd,
        sum(unpaid) AS unpaid_usd
    FROM in_buckets
    GROUP BY bucket
),

every_bucket AS (
    SELECT
        bucket,
        position,
        coalesce(loans, 0) AS loans,
        coalesce(outstanding_usd, 0) AS outstanding_usd,
        coalesce(unpaid_usd, 0) AS unpaid_usd
    FROM buckets
    LEFT JOIN summed USING (bucket)
)

SELECT
    *,
    loans / nullif(sum(loans) OVER (), 0) AS loans_share,
    outstanding_usd / nullif(sum(outstanding_usd) OVER (), 0) AS outstanding_share
FROM every_bucket
