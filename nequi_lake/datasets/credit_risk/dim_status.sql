WITH states (status_key, loan_status, bucket_position, bucket) AS (
    VALUES
        (1, 'Issued', 1, 'current'),
        (2, 'Current', 1, 'current'),
        (3, 'In Grace Period', 2, 'grace period'),
        (4, 'Late (16-30 days)', 3, '16-30 days'),
        (5, 'Late (31-120 days)', 4, '31-120 days'),
        (6, 'Default', 5, 'default'),
        (7, 'Charged Off', 6, 'charged off'),
        (8, 'Fully Paid', 7, 'paid'),
        (9, 'Does not meet the credit policy. Status:Charged Off', 6, 'charged off'),
        (10, 'Does not meet the credit policy. Status:Fully Paid', 7, 'paid')
)

SELECT
    *,
    bucket IN ('default', 'charged off') AS is_defaulted,
    bucket IN ('grace period', '16-30 days', '31-120 days') AS is_late,
    bucket = 'paid' AS is_paid,
    NOT starts_with(loan_status, 'Does not meet') AS meets_credit_policy
FROM states
