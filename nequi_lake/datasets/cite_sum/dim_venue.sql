WITH named AS (
    SELECT
        nullif(trim(journal), '') AS journal,
        nullif(trim(venue), '') AS venue
    FROM cite_sum.papers
),

venues AS (
    SELECT DISTINCT
        CASE WHEN journal IS NOT NULL THEN 'journal' ELSE 'venue' END AS venue_kind,
        coalesce(journal, venue) AS venue
    FROM named
    WHERE coalesce(journal, venue) IS NOT NULL
)

SELECT
    CAST('0x' || left(md5(venue_kind || ' ' || venue), 15) AS BIGINT) AS venue_key,
    venue_kind,
    venue
FROM venues
UNION ALL
SELECT 0, 'unknown', 'unknown'
