WITH purposes (purpose_key, purpose) AS (
    VALUES
        (1, 'car'),
        (2, 'credit_card'),
        (3, 'debt_consolidation'),
        (4, 'educational'),
        (5, 'home_improvement'),
        (6, 'house'),
        (7, 'major_purchase'),
        (8, 'medical'),
        (9, 'moving'),
        (10, 'other'),
        (11, 'renewable_energy'),
        (12, 'small_business'),
        (13, 'vacation'),
        (14, 'wedding')
)

SELECT
    purpose_key,
    purpose,
    upper(purpose[1]) || replace(purpose[2:], '_', ' ') AS purpose_name,
    purpose IN ('credit_card', 'debt_consolidation') AS is_refinancing
FROM purposes
