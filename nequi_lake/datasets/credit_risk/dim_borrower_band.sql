WITH incomes (income_position, income_band) AS (
    VALUES
        (0, 'unknown'),
        (1, 'under 25,000'),
        (2, '25,000 to 50,000'),
        (3, '50,000 to 75,000'),
        (4, '75,000 to 100,000'),
        (5, '100,000 to 150,000'),
        (6, '150,000 and more')
),

debts (dti_position, dti_band) AS (
    VALUES
        (1, 'under 10'),
        (2, '10 to 20'),
        (3, '20 to 30'),
        (4, '30 and more')
),

employments (employment_position, employment_band) AS (
    VALUES
        (0, 'unknown'),
        (1, 'under 1 year'),
        (2, '1 to 3 years'),
        (3, '4 to 9 years'),
        (4, '10 years and more')
),

homes (home, home_ownership) AS (
    VALUES
        (1, 'MORTGAGE'),
        (2, 'RENT'),
        (3, 'OWN'),
        (4, 'OTHER'),
        (5, 'NONE'),
        (6, 'ANY')
),

verifications (verification, verification_status) AS (
    VALUES
        (1, 'Verified'),
        (2, 'Source Verified'),
        (3, 'Not Verified')
)

SELECT
    10000 * income_position
    + 1000 * dti_position
    + 100 * employment_position
    + 10 * home
    + verification AS borrower_band_key,
    income_position,
    income_band,
    dti_position,
    dti_band,
    employment_position,
    employment_band,
    home_ownership,
    verification_status
FROM incomes
CROSS JOIN debts
CROSS JOIN employments
CROSS JOIN homes
CROSS JOIN verifications
