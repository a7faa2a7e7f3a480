WITH cleaned_papers AS (
    SELECT
        paper_id,
        nullif(trim(regexp_replace(nfc_normalize(title), '[\s\pZ\p{Cc}]+', ' ', 'g')), '') AS title,
        trim(regexp_replace(nfc_normalize(src), '[\s\pZ\p{Cc}]+', ' ', 'g')) AS abstract
    FROM cite_sum.papers
),

cleaned_citations AS (
    SELECT
        split,
        line,
        paper_id,
        trim(regexp_replace(nfc_normalize(tgt), '[\s\pZ\p{Cc}]+', ' ', 'g')) AS summary
    FROM cite_sum.citations
),

pairs AS (
    SELECT *
    FROM cleaned_citations
    JOIN cleaned_papers USING (paper_id)
    WHERE summary <> '' AND abstract <> ''
),

in_several_splits AS (
    SELECT paper_id, count(DISTINCT split) > 1 AS in_other_split
    FROM pairs
    GROUP BY ALL
),

split_sizes AS (
    SELECT split, count(*) AS split_size
    FROM pairs
    GROUP BY ALL
)

SELECT
    *,
    length(abstract) - length(replace(abstract, ' ', '')) + 1 AS abstract_words,
    length(summary) - length(replace(summary, ' ', '')) + 1 AS summary_words
FROM pairs
JOIN in_several_splits USING (paper_id)
JOIN split_sizes USING (split)
