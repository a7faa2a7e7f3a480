WITH outlets AS (
    SELECT
        paper_id,
        nullif(trim(journal), '') AS named_journal,
        nullif(trim(venue), '') AS named_venue
    FROM cite_sum.papers
),

cited AS (
    SELECT paper_id, count(*) AS citations
    FROM cite_sum.citations
    GROUP BY ALL
),

-- A paper may list a field twice.
fields AS (
    SELECT DISTINCT paper_id, mag_field_of_study
    FROM cite_sum.paper_fields
)

SELECT
    coalesce(fields.mag_field_of_study, 'unclassified') AS mag_field_of_study,
    CASE
        WHEN named_journal IS NOT NULL THEN 'journal'
        WHEN named_venue IS NOT NULL THEN 'venue'
        ELSE 'unknown'
    END AS outlet_kind,
    coalesce(named_journal, named_venue, 'unknown') AS outlet,
    count(*) AS papers,
    coalesce(sum(citations), 0) AS citations,
    coalesce(sum(citations), 0) / count(*) AS citations_per_paper
FROM outlets
LEFT JOIN fields USING (paper_id)
LEFT JOIN cited USING (paper_id)
GROUP BY ALL
