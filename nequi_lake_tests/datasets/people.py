"""A dataset for tests, of columns that nobody may see: in keys, references, nested records and what is made of them.

It imports only what ``nequi_lake`` offers, so that it also stands for a module outside of the package.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from nequi_lake import RECORD, CsvFile, Dataset, JsonLinesFile, Mart, Table, column_meta


class People(dy.Schema):
    """One row per person."""

    person = dy.Int64(
        primary_key=True, description="Number.", metadata=column_meta(unit="id", source="person", sensitive="hash")
    )
    name = dy.String(description="Name.", metadata=column_meta(unit="text", source="name", sensitive="hash"))
    email = dy.String(
        regex="^[^@]+@[^@]+$",
        nullable=True,
        description="E-mail.",
        metadata=column_meta(unit="text", source="email", null_limit=0.5, sensitive="mask"),
    )
    tax_number = dy.String(
        regex="^T",
        nullable=True,
        description="Tax number.",
        metadata=column_meta(unit="text", source="tax_number", null_limit=0.5, sensitive="drop"),
    )
    income = dy.Decimal(
        precision=12,
        scale=2,
        min=0,
        description="Income.",
        metadata=column_meta(unit="USD", source="income", sensitive="mask"),
    )
    born = dy.Date(description="Birthday.", metadata=column_meta(unit="date", source="born", sensitive="hash"))
    town = dy.String(description="Town.", metadata=column_meta(unit="text", source="town"))


class Towns(dy.Schema):
    """One row per town."""

    town = dy.String(primary_key=True, description="Town.", metadata=column_meta(unit="text", source="town"))
    top_income = dy.Decimal(
        precision=12,
        scale=2,
        max=8_000_000,
        description="Highest income.",
        metadata=column_meta(unit="USD", derived_from=["income"], sensitive="mask"),
    )


def of_towns(records: pl.LazyFrame) -> pl.LazyFrame:
    """The highest income of each town."""
    return records.group_by("town", maintain_order=True).agg(pl.col("earned").max().alias("top_income"))


class Visits(dy.Schema):
    """One row per visit."""

    visit = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source=RECORD))
    person = dy.Int64(
        description="Who.", metadata=column_meta(unit="id", source="who", references="people", sensitive="hash")
    )
    spent = dy.Int64(min=0, description="Sum.", metadata=column_meta(unit="USD", source="spent"))


class Calls(dy.Schema):
    """One row per call."""

    call = dy.Int64(primary_key=True, description="Number.", metadata=column_meta(unit="id", source="call"))
    phone = dy.String(
        min_length=6, description="Phone.", metadata=column_meta(unit="text", source="caller.phone", sensitive="drop")
    )
    town = dy.String(description="Town.", metadata=column_meta(unit="text", source="caller.town"))


class Spending(dy.Schema):
    """One row per person who spent something."""

    person = dy.String(
        primary_key=True,
        description="Who.",
        metadata=column_meta(unit="id", derived_from=["visits.person"], references="people"),
    )
    spent = dy.Int64(description="Sum.", metadata=column_meta(unit="USD", derived_from=["visits.spent"]))


DATASET = Dataset(
    name="people",
    files=(
        CsvFile(
            name="people.csv",
            description="People.",
            columns=("person", "name", "email", "tax_number", "income", "born", "town"),
            extra="ignore",
        ),
        CsvFile(name="visits.csv", description="Visits.", columns=("who", "spent")),
        JsonLinesFile(
            name="calls.json",
            description="Calls.",
            schema={"call": pl.Int64(), "caller": pl.Struct({"phone": pl.String(), "town": pl.String()})},
        ),
    ),
    tables=(
        Table(name="people", description="People.", contract=People, files=("people.csv",), quarantine_limit=0.9),
        Table(
            name="towns",
            description="Towns.",
            contract=Towns,
            files=("people.csv",),
            parse={"earned": pl.col("income").cast(pl.Decimal(12, 2), strict=False)},
            group_by=("town",),
            transform=of_towns,
            quarantine_limit=0.9,
        ),
        Table(name="visits", description="Visits.", contract=Visits, files=("visits.csv",), quarantine_limit=0.9),
        Table(name="calls", description="Calls.", contract=Calls, files=("calls.json",), quarantine_limit=0.9),
    ),
    marts=(Mart(name="spending", description="Who spent how much.", contract=Spending),),
)
