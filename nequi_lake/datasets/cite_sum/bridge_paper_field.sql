-- A paper may list a field twice.
WITH fields AS (
    SELECT DISTINCT paper_id, mag_field_of_study
    FROM cite_sum.paper_fields
)

SELECT
    paper_key,
    coalesce(mag_field_of_study, 'unclassified') AS mag_field_of_study,
    1 / count(*) OVER (PARTITION BY paper_key) AS weight
FROM cite_sum.dim_paper
LEFT JOIN fields USING (paper_id)
