WITH grades (number, grade) AS (
    VALUES (1, 'A'), (2, 'B'), (3, 'C'), (4, 'D'), (5, 'E'), (6, 'F'), (7, 'G')
),

steps (step) AS (
    VALUES (1), (2), (3), (4), (5)
)

SELECT
    10 * number + step AS grade_key,
    grade,
    grade || step AS sub_grade,
    step
FROM grades
CROSS JOIN steps
