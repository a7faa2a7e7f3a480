"""Publications by field and place, citations of each paper, and pairs of abstract and summary to train on.

Nothing here is imported by the tables' module but ``MARTS``, so that a change of a mart makes no new release of them.
"""

from __future__ import annotations

import dataframely as dy

from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.spec import Mart, Partition


def _count(description: str, *derived_from: str, minimum: int = 0) -> dy.Int64:
    return dy.Int64(min=minimum, description=description, metadata=column_meta(unit="count", derived_from=derived_from))


def _text(description: str, *derived_from: str, null_limit: float | None = None) -> dy.String:
    return dy.String(
        nullable=null_limit is not None,
        description=description,
        metadata=column_meta(unit="text", derived_from=derived_from, null_limit=null_limit),
    )


def _paper_id(*, is_key: bool) -> dy.String:
    return dy.String(
        primary_key=is_key,
        description="The paper.",
        metadata=column_meta(unit="id", derived_from=["papers.paper_id"], references="papers"),
    )


class PublicationsByField(dy.Schema):
    """One row per field of study and journal or venue."""

    mag_field_of_study = dy.String(
        primary_key=True,
        description="Field of study of the Microsoft Academic Graph; unclassified where a paper has none.",
        metadata=column_meta(unit="code", derived_from=["paper_fields.mag_field_of_study"]),
    )
    outlet_kind = dy.String(
        primary_key=True,
        check=one_of("journal", "venue", "unknown"),
        description="What outlet names: the journal where the paper has one, else the venue.",
        metadata=column_meta(unit="code", derived_from=["papers.journal", "papers.venue"]),
    )
    outlet = dy.String(
        primary_key=True,
        description="Journal or venue in which the papers appeared, as the publisher writes it; unknown for none.",
        metadata=column_meta(unit="text", derived_from=["papers.journal", "papers.venue"]),
    )
    papers = _count("Papers; one of several fields counts in each of them.", "papers.paper_id", minimum=1)
    citations = _count("Sentences in the lake that cite these papers.", "citations.paper_id")
    citations_per_paper = dy.Float64(
        min=0,
        description="Citing sentences per paper.",
        metadata=column_meta(unit="citations/paper", derived_from=["citations.paper_id", "papers.paper_id"]),
    )


class CitationsPerPaper(dy.Schema):
    """One row per paper."""

    paper_id = _paper_id(is_key=True)
    title = _text("Title of the paper.", "papers.title", null_limit=1.0)
    venue = _text("Conference or other venue at which the paper appeared.", "papers.venue", null_limit=1.0)
    journal = _text("Journal in which the paper appeared.", "papers.journal", null_limit=1.0)
    main_field = dy.String(
        nullable=True,
        description="Field of study that the publisher lists first.",
        metadata=column_meta(
            unit="code", derived_from=["paper_fields.mag_field_of_study", "paper_fields.position"], null_limit=1.0
        ),
    )
    citations = _count("Sentences in the lake that cite the paper, in all splits.", "citations.paper_id")
    train_citations = _count("Those of the split train.", "citations.paper_id", "citations.split")
    validation_citations = _count("Those of the split validation.", "citations.paper_id", "citations.split")
    test_citations = _count("Those of the split test.", "citations.paper_id", "citations.split")


class SummarisationTraining(dy.Schema):
    """One row per pair of abstract and summary."""

    split = dy.String(
        primary_key=True,
        check=one_of("train", "validation", "test"),
        description="Part of the published split that the pair belongs to.",
        metadata=column_meta(unit="code", derived_from=["citations.split"]),
    )
    line = dy.Int64(
        primary_key=True,
        min=1,
        description="Line of the split's file on which the citing sentence stands, from 1.",
        metadata=column_meta(unit="count", derived_from=["citations.line"]),
    )
    paper_id = _paper_id(is_key=False)
    title = _text("Title of the paper, cleaned; missing where it has none.", "papers.title", null_limit=1.0)
    abstract = _text("What is to be summarised: the paper's abstract, cleaned.", "papers.src")
    summary = _text("The summary: the citing sentence, cleaned, with REF in place of the reference.", "citations.tgt")
    abstract_words = _count("Words of the abstract, as spaces part them.", "papers.src", minimum=1)
    summary_words = _count("Words of the summary, as spaces part them.", "citations.tgt", minimum=1)
    in_other_split = dy.Bool(
        description="Whether the same paper stands in another split too, so that a model may know its abstract: leave "
        "such pairs out of validation and test.",
        metadata=column_meta(unit="yes/no", derived_from=["citations.paper_id", "citations.split"]),
    )
    split_size = _count("Pairs of the split in this table.", "citations.split", minimum=1)


MARTS = (
    Mart(
        name="publications_by_field",
        description="Papers and their citations by field of study and journal or venue. A paper of several fields "
        "counts in each, so that the rows of one outlet must not be added up.",
        contract=PublicationsByField,
    ),
    Mart(
        name="citations_per_paper",
        description="How often each paper is cited in the lake, in all and by split; not how often it is cited at all.",
        contract=CitationsPerPaper,
    ),
    Mart(
        name="summarisation_training",
        description="Pairs of abstract and one-sentence summary to train and test summarisation on. Texts are cleaned: "
        "Unicode in its composed form (NFC), each run of white space and control characters one space. Pairs without "
        "an abstract or a summary after that are left out.",
        contract=SummarisationTraining,
        partition_by=Partition("split"),
    ),
)
