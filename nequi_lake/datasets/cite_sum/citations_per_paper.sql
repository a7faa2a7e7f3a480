WITH cited AS (
    SELECT
        paper_id,
        count(*) AS citations,
        count(*) FILTER (split = 'train') AS train_citations,
        count(*) FILTER (split = 'validation') AS validation_citations,
        count(*) FILTER (split = 'test') AS test_citations
    FROM cite_sum.citations
    GROUP BY ALL
),

main_fields AS (
    SELECT paper_id, arg_min(mag_field_of_study, position) AS main_field
    FROM cite_sum.paper_fields
    GROUP BY ALL
)

SELECT
    paper_id,
    title,
    venue,
    journal,
    main_field,
    coalesce(citations, 0) AS citations,
    coalesce(train_citations, 0) AS train_citations,
    coalesce(validation_citations, 0) AS validation_citations,
    coalesce(test_citations, 0) AS test_citations
FROM cite_sum.papers
LEFT JOIN cited USING (paper_id)
LEFT JOIN main_fields USING (paper_id)
