"""Scientific papers and the sentences that cite them, for summaries and analysis of publications.

Source of meanings: the publisher's page on Kaggle (CiteSum, Mao et al. 2022) and the S2ORC corpus behind it.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from nequi_lake.datasets.cite_sum.marts import MARTS
from nequi_lake.datasets.cite_sum.star import STAR
from nequi_lake.datasets.contract import column_meta, one_of
from nequi_lake.datasets.spec import Dataset, Partition, Table
from nequi_lake.formats import RECORD, JsonLinesFile

_DIGITS = "^[0-9]+$"
_FIELDS = pl.col("discipline").struct.field("mag_field_of_study")
_SCHEMA = {
    "src": pl.String(),
    "tgt": pl.String(),
    "paper_id": pl.String(),
    "title": pl.String(),
    "discipline": pl.Struct({"venue": pl.String, "journal": pl.String, "mag_field_of_study": pl.List(pl.String)}),
}


class Papers(dy.Schema):
    """One row per cited paper."""

    paper_id = dy.String(
        primary_key=True,
        regex=_DIGITS,
        description="Identifier of the cited paper in the Semantic Scholar corpus.",
        metadata=column_meta(unit="id", source="paper_id"),
    )
    title = dy.String(
        nullable=True,
        description="Title of the cited paper.",
        metadata=column_meta(unit="text", source="title", null_limit=0.03),
    )
    src = dy.String(
        description="Abstract of the cited paper: what a summary is made from.",
        metadata=column_meta(unit="text", source="src"),
    )
    venue = dy.String(
        nullable=True,
        description="Conference or other venue at which the paper appeared.",
        metadata=column_meta(unit="text", source="discipline.venue", null_limit=0.15),
    )
    journal = dy.String(
        nullable=True,
        description="Journal in which the paper appeared.",
        metadata=column_meta(unit="text", source="discipline.journal", null_limit=0.45),
    )


class Citations(dy.Schema):
    """One row per citing sentence."""

    split = dy.String(
        primary_key=True,
        check=one_of("train", "validation", "test"),
        description="Part of the published split that the sentence belongs to.",
        metadata=column_meta(unit="code", source="split"),
    )
    line = dy.Int64(
        primary_key=True,
        min=1,
        description="Line of the split's file on which the sentence stands, from 1.",
        metadata=column_meta(unit="count", derived_from=["tgt"]),
    )
    paper_id = dy.String(
        regex=_DIGITS,
        description="The paper that the sentence cites.",
        metadata=column_meta(unit="id", source="paper_id", references="papers"),
    )
    tgt = dy.String(
        description="The citing sentence, with REF in place of the reference: a short summary of the cited paper.",
        metadata=column_meta(unit="text", source="tgt"),
    )


class PaperFields(dy.Schema):
    """One row per field of study of a paper."""

    paper_id = dy.String(
        primary_key=True,
        regex=_DIGITS,
        description="Paper that the field belongs to.",
        metadata=column_meta(unit="id", source="paper_id", references="papers"),
    )
    position = dy.Int64(
        primary_key=True,
        min=1,
        description="Position of the field in the publisher's list, from 1, the closest first.",
        metadata=column_meta(unit="count", derived_from=["discipline.mag_field_of_study"]),
    )
    mag_field_of_study = dy.String(
        check=one_of(
            *("Art", "Biology", "Business", "Chemistry", "Computer Science", "Economics", "Engineering"),
            *("Environmental Science", "Geography", "Geology", "History", "Materials Science", "Mathematics"),
            *("Medicine", "Philosophy", "Physics", "Political Science", "Psychology", "Sociology"),
        ),
        description="Field of study, of the nineteen top-level fields of the Microsoft Academic Graph.",
        metadata=column_meta(unit="code", derived_from=["discipline.mag_field_of_study"]),
    )


def _without_repeats(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The first of each set of equal rows.

    Rows are compared by a hash of 64 bits, so that memory holds eight bytes per paper and not its abstract. Two papers
    with the same hash would lose one of them, which the check ``rows_accounted_for`` refuses.
    """
    return rows.with_columns(__hash=pl.struct(pl.all()).hash()).unique("__hash", maintain_order=True).drop("__hash")


def papers(records: pl.LazyFrame) -> pl.LazyFrame:
    """Merge the records of each paper into one row. Records that disagree keep their rows, and so are quarantined."""
    return _without_repeats(records.select(list(Papers.columns())))


def paper_fields(records: pl.LazyFrame) -> pl.LazyFrame:
    """Make one row per element of each paper's list of fields."""
    return (
        _without_repeats(records.select("paper_id", mag_field_of_study="fields"))
        .with_columns(position=pl.int_ranges(1, pl.col("mag_field_of_study").list.len() + 1))
        .explode("mag_field_of_study", "position")
        .drop_nulls("mag_field_of_study")
    )


def _split(name: str, *aliases: str) -> JsonLinesFile:
    return JsonLinesFile(
        name=f"{name}.json",
        description=f"The {name} split: one citing sentence per line, with the paper that it cites.",
        aliases=aliases,
        schema=_SCHEMA,
        constants={"split": name},
    )


DATASET = Dataset(
    name="cite_sum",
    slug="nbroad/cite-sum",
    title="CiteSum: citation text as summary",
    licence="CC BY-NC 4.0",
    use_case="Language models that summarise, and analysis of publications by field and venue.",
    owner="data-platform@nequi.com",
    schedule="30 6 * * *",
    files=(_split("train"), _split("validation", "val.json"), _split("test")),
    tables=(
        Table(
            name="papers",
            description="Cited papers: title, abstract, venue and journal.",
            contract=Papers,
            transform=papers,
            group_by=("paper_id",),
        ),
        Table(
            name="citations",
            description="Sentences that cite a paper, each of them a short summary of it.",
            contract=Citations,
            parse={"line": pl.col(RECORD) + 1},
            partition_by=Partition("split"),
        ),
        Table(
            name="paper_fields",
            description="Fields of study of each paper.",
            contract=PaperFields,
            parse={"fields": _FIELDS},
            transform=paper_fields,
            group_by=("paper_id",),
            explode="fields",
        ),
    ),
    marts=(*MARTS, *STAR),
)
