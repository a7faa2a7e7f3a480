WITH products (product_key, term_months, application_type, initial_list_status) AS (
    VALUES
        (1, 36, 'INDIVIDUAL', 'f'),
        (2, 36, 'INDIVIDUAL', 'w'),
        (3, 36, 'JOINT', 'f'),
        (4, 36, 'JOINT', 'w'),
        (5, 60, 'INDIVIDUAL', 'f'),
        (6, 60, 'INDIVIDUAL', 'w'),
        (7, 60, 'JOINT', 'f'),
        (8, 60, 'JOINT', 'w')
)

SELECT *
FROM products
