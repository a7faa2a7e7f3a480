-- Every join is an outer one: a loan that lacks something fails the contract, and is never left out.
WITH loans AS (
    SELECT
        *,
        CASE
            WHEN annual_inc IS NULL THEN 0
            WHEN annual_inc < 25000 THEN 1
            WHEN annual_inc < 50000 THEN 2
            WHEN annual_inc < 75000 THEN 3
            WHEN annual_inc < 100000 THEN 4
            WHEN annual_inc < 150000 THEN 5
            ELSE 6
        END AS income_position,
        CASE
            WHEN dti < 10 THEN 1
            WHEN dti < 20 THEN 2
            WHEN dti < 30 THEN 3
            ELSE 4
        END AS dti_position,
        CASE
            WHEN emp_length_years IS NULL THEN 0
            WHEN emp_length_years < 1 THEN 1
            WHEN emp_length_years < 4 THEN 2
            WHEN emp_length_years < 10 THEN 3
            ELSE 4
        END AS employment_position
    FROM credit_risk.loans
    LEFT JOIN credit_risk.borrowers USING (member_id)
    LEFT JOIN credit_risk.credit_history USING (loan_id)
    LEFT JOIN credit_risk.payments USING (loan_id)
)

SELECT
    loan_id,
    CAST(strftime(issue_date, '%Y%m%d') AS BIGINT) AS issue_date_key,
    coalesce(CAST(strftime(last_pymnt_date, '%Y%m%d') AS BIGINT), 0) AS last_payment_date_key,
    coalesce(CAST(strftime(next_pymnt_date, '%Y%m%d') AS BIGINT), 0) AS next_payment_date_key,
    grade_key,
    purpose_key,
    state_key,
    product_key,
    status_key,
    borrower_band_key,
    funded_amnt AS funded_usd,
    installment AS installment_usd,
    out_prncp AS outstanding_usd,
    total_pymnt AS received_usd,
    total_rec_prncp AS principal_paid_usd,
    total_rec_int AS interest_paid_usd,
    total_rec_late_fee AS late_fees_usd,
    recoveries AS recoveries_usd,
    collection_recovery_fee AS recovery_fees_usd,
    int_rate AS int_rate_pct,
    annual_inc AS annual_inc_usd,
    revol_bal AS revol_bal_usd
FROM loans
LEFT JOIN credit_risk.dim_grade USING (sub_grade)
LEFT JOIN credit_risk.dim_purpose USING (purpose)
LEFT JOIN credit_risk.dim_state USING (addr_state)
LEFT JOIN credit_risk.dim_product USING (term_months, application_type, initial_list_status)
LEFT JOIN credit_risk.dim_status USING (loan_status)
LEFT JOIN credit_risk.dim_borrower_band
    USING (income_position, dti_position, employment_position, home_ownership, verification_status)
