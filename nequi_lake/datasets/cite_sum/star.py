"""The citations as a star schema: citing sentences, the papers that they cite, where those appeared, and their fields.

Keys of papers and venues are 60 bits of a hash of their names, so that no key changes when others come. Two names of
one key would be refused by the audit. A paper has several fields, or none: the bridge between papers and fields has the
weight of each, so that sums over fields are sums over papers.
"""

from __future__ import annotations

import dataframely as dy

from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.spec import Mart

_STAR = "star"


def _key(description: str, *derived_from: str, is_key: bool = True, references: str | None = None) -> dy.Int64:
    return dy.Int64(
        primary_key=is_key,
        min=0,
        description=description,
        metadata=column_meta(unit="id", derived_from=derived_from, references=references),
    )


class DimVenue(dy.Schema):
    """One row per journal or venue of some paper, and one for the venue unknown."""

    venue_key = _key("Hash of kind and name; 0 where it is unknown.", "papers.journal", "papers.venue")
    venue_kind = dy.String(
        check=one_of("journal", "venue", "unknown"),
        description="What the name is of: the journal where a paper has one, else the venue.",
        metadata=column_meta(unit="code", derived_from=["papers.journal", "papers.venue"]),
    )
    venue = dy.String(
        description="Name as the publisher writes it, without spaces around it; unknown for none.",
        metadata=column_meta(unit="text", derived_from=["papers.journal", "papers.venue"]),
    )


class DimPaper(dy.Schema):
    """One row per paper."""

    paper_key = _key("Hash of the paper's identifier.", "papers.paper_id")
    paper_id = dy.String(
        description="Identifier of the paper in the Semantic Scholar corpus.",
        metadata=column_meta(unit="id", derived_from=["papers.paper_id"], references="papers"),
    )
    title = dy.String(
        nullable=True,
        description="Title of the paper.",
        metadata=column_meta(unit="text", derived_from=["papers.title"], null_limit=1.0),
    )
    venue_key = _key(
        *("Where the paper appeared.", "dim_venue.venue_key", "papers.journal", "papers.venue"),
        is_key=False,
        references="dim_venue",
    )


class BridgePaperField(dy.Schema):
    """One row per paper and field of study; of a paper without a field, one row of the field unclassified."""

    paper_key = _key("The paper.", "dim_paper.paper_key", references="dim_paper")
    mag_field_of_study = dy.String(
        primary_key=True,
        description="Field of study of the Microsoft Academic Graph; unclassified where a paper has none.",
        metadata=column_meta(unit="code", derived_from=["paper_fields.mag_field_of_study"]),
    )
    weight = dy.Float64(
        min=0,
        max=1,
        description="One by the number of the paper's fields; those of a paper add up to one.",
        metadata=column_meta(unit="share, 0 to 1", derived_from=["paper_fields.paper_id"]),
    )


class FactCitation(dy.Schema):
    """One row per citing sentence."""

    split = dy.String(
        primary_key=True,
        check=one_of("train", "validation", "test"),
        description="Part of the published split that the sentence belongs to.",
        metadata=column_meta(unit="code", derived_from=["citations.split"]),
    )
    line = dy.Int64(
        primary_key=True,
        min=1,
        description="Line of the split's file on which the sentence stands, from 1.",
        metadata=column_meta(unit="count", derived_from=["citations.line"]),
    )
    paper_key = _key(
        *("The paper that is cited.", "dim_paper.paper_key", "citations.paper_id"),
        is_key=False,
        references="dim_paper",
    )
    venue_key = _key("Where it appeared.", "dim_paper.venue_key", is_key=False, references="dim_venue")
    sentence_characters = dy.Int64(
        min=0,
        description="Length of the citing sentence.",
        metadata=column_meta(unit="count", derived_from=["citations.tgt"]),
    )


def _mart(name: str, description: str, contract: type[dy.Schema]) -> Mart:
    return Mart(name=name, description=description, contract=contract, group=_STAR)


STAR = (
    _mart("dim_venue", "Journals and venues in which papers appeared.", DimVenue),
    _mart("dim_paper", "Cited papers, without their abstracts.", DimPaper),
    _mart("bridge_paper_field", "Fields of study of each paper, weighted.", BridgePaperField),
    _mart("fact_citation", "Citing sentences, each of one paper.", FactCitation),
)
