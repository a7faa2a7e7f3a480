SELECT
    CAST(strftime(range, '%Y%m%d') AS BIGINT) AS date_key,
    CAST(range AS DATE) AS date,
    year(range) AS year,
    quarter(range) AS quarter,
    month(range) AS month,
    day(range) AS day,
    year(range) || '-Q' || quarter(range) AS year_quarter,
    strftime(range, '%Y-%m') AS year_month,
    monthname(range) AS month_name
FROM range(DATE '2007-01-01', DATE '2021-01-01', INTERVAL 1 DAY)
UNION ALL
SELECT 0, NULL, NULL, NULL, NULL, NULL, 'unknown', 'unknown', 'unknown'
