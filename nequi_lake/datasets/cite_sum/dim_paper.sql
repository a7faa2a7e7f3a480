WITH named AS (
    SELECT
        paper_id,
        title,
        nullif(trim(journal), '') AS named_journal,
        nullif(trim(venue), '') AS named_venue
    FROM cite_sum.papers
),

placed AS (
    SELECT
        paper_id,
        title,
        CASE
            WHEN named_journal IS NOT NULL THEN 'journal'
            WHEN named_venue IS NOT NULL THEN 'venue'
            ELSE 'unknown'
        END AS venue_kind,
        coalesce(named_journal, named_venue, 'unknown') AS venue
    FROM named
)

SELECT
    CAST('0x' || left(md5(paper_id), 15) AS BIGINT) AS paper_key,
    paper_id,
    title,
    venue_key
FROM placed
LEFT JOIN cite_sum.dim_venue USING (venue_kind, venue)
