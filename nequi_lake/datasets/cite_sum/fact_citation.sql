SELECT
    split,
    line,
    paper_key,
    venue_key,
    length(tgt) AS sentence_characters
FROM cite_sum.citations
LEFT JOIN cite_sum.dim_paper USING (paper_id)
