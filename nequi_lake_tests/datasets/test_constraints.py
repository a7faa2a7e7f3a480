"""A contract's demands are values, and there is one way to say them."""

from __future__ import annotations

import datetime as dt

import dataframely as dy
import polars as pl
import pytest

from nequi_lake.datasets.constraints import Constraint, Kind, describe
from nequi_lake.datasets.contract import Column, column_meta, columns, one_of

WORDS = {
    Constraint(Kind.KEY): "key",
    Constraint(Kind.REFERENCES, "buyers"): "references buyers",
    Constraint(Kind.MIN, 0.5): "must be >= 0.5",
    Constraint(Kind.MAX, dt.date(2020, 12, 31)): "must be <= 2020-12-31",
    Constraint(Kind.MIN_EXCLUSIVE, 0): "must be > 0",
    Constraint(Kind.MAX_EXCLUSIVE, 7): "must be < 7",
    Constraint(Kind.ONE_OF, (36, 60)): "must be one of 36, 60",
    Constraint(Kind.MATCHES, r"^\d+$"): r"must match ^\d+$",
    Constraint(Kind.NOT_NULL): "is missing",
    Constraint(Kind.FINITE): "is infinite",
    Constraint(Kind.NOT_NAN): "is not a number",
    Constraint(Kind.NULL_SHARE, 0.125): "missing in at most 12.5 % of rows",
    Constraint(Kind.MIN_LENGTH, 2): "must have 2 characters or more",
    Constraint(Kind.MAX_LENGTH, 3): "must have 3 characters or fewer",
    Constraint(Kind.UNIQUE): "unique",
    Constraint(Kind.CHECK, "even"): "must pass the check even",
    Constraint(Kind.OTHER, ("resolution", "1mo")): "must keep resolution 1mo",
}


@pytest.mark.parametrize("constraint", WORDS, ids=lambda constraint: constraint.kind)
def test_a_constraint_in_words(constraint: Constraint) -> None:
    assert describe(constraint) == WORDS[constraint]


def test_every_kind_has_words() -> None:
    assert {constraint.kind for constraint in WORDS} == set(Kind)


def column(declared: dy.Column) -> Column:
    """The column of a contract that has no other."""
    return columns(type("Only", (dy.Schema,), {"value": declared}))["value"]


META = column_meta(unit="1", source="value")
NULLABLE = column_meta(unit="1", source="value", null_limit=0.25)
DECLARED: dict[str, tuple[dy.Column, list[Constraint]]] = {
    "range": (
        dy.Int64(min=1, max=9, description="A digit.", metadata=META),
        [Constraint(Kind.NOT_NULL), Constraint(Kind.MIN, 1), Constraint(Kind.MAX, 9)],
    ),
    "open range": (
        dy.Int64(min_exclusive=1, max_exclusive=9, description="A digit.", metadata=META),
        [Constraint(Kind.NOT_NULL), Constraint(Kind.MIN_EXCLUSIVE, 1), Constraint(Kind.MAX_EXCLUSIVE, 9)],
    ),
    "float": (
        dy.Float64(nullable=True, description="A share.", metadata=NULLABLE),
        [Constraint(Kind.FINITE), Constraint(Kind.NOT_NAN), Constraint(Kind.NULL_SHARE, 0.25)],
    ),
    "set of texts": (
        dy.String(check=one_of("a", "b"), description="A letter.", metadata=META),
        [Constraint(Kind.NOT_NULL), Constraint(Kind.ONE_OF, ("a", "b"))],
    ),
    "set of numbers": (
        dy.Int64(is_in=[36, 60], description="A term.", metadata=META),
        [Constraint(Kind.NOT_NULL), Constraint(Kind.ONE_OF, (36, 60))],
    ),
    "pattern": (
        dy.String(nullable=True, regex="^x", description="A text.", metadata=NULLABLE),
        [Constraint(Kind.MATCHES, "^x"), Constraint(Kind.NULL_SHARE, 0.25)],
    ),
    "key and reference": (
        dy.Int64(
            primary_key=True, description="Who.", metadata=column_meta(unit="id", source="value", references="buyers")
        ),
        [Constraint(Kind.KEY), Constraint(Kind.NOT_NULL), Constraint(Kind.REFERENCES, "buyers")],
    ),
    "rule of the library's": (
        dy.String(max_length=3, description="A text.", metadata=META),
        [Constraint(Kind.NOT_NULL), Constraint(Kind.MAX_LENGTH, 3)],
    ),
}


@pytest.mark.parametrize("case", DECLARED)
def test_the_contract_gives_typed_constraints(case: str) -> None:
    declared, constraints = DECLARED[case]
    assert set(column(declared).constraints) == set(constraints)


def test_lists_for_people_omit_what_nearly_every_column_has() -> None:
    declared, _ = DECLARED["float"]
    assert column(declared).constraint_texts == ("missing in at most 25 % of rows",)


def test_the_values_of_a_closed_set_are_known_and_tested() -> None:
    declared, (_, allowed) = DECLARED["set of texts"]
    found = column(declared)
    assert found.allowed == ("a", "b")
    values = pl.DataFrame({"value": ["a", "c", None]})
    assert values.select(found.rules(pl.col("value"))[allowed]).to_series().to_list() == [True, False, None]
