"""What dbt has to know of a warehouse: ``sources.yml``, with descriptions and tests from the contracts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from nequi_lake.datasets.contract import Column
from nequi_lake.datasets.spec import Dataset, Relation
from nequi_lake.warehouse.ddl import postgres_type

_HEAD = (
    "# From the contracts, by `nequi-lake warehouse dbt`: make it again when they change. For dbt 1.10.5 or newer.\n"
)

Block = dict[str, Any]


def sources(datasets: Iterable[Dataset]) -> str:
    """The ``sources.yml`` of datasets: one source each, whose tables are the relations, and whose tests the contracts'.

    Tests are those that dbt has by itself: ``unique``, ``not_null``, ``accepted_values`` and ``relationships``, each of
    one column. Keys and references of several columns are held by the database, and have none.
    """
    found = {"version": 2, "sources": [_source(dataset) for dataset in datasets]}
    written: str = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120)
    return _HEAD + written


def _source(dataset: Dataset) -> Block:
    return {
        "name": dataset.name,
        "schema": dataset.name,
        "description": dataset.summary,
        "quoting": {"schema": True, "identifier": True},
        "tables": [_table(dataset, relation) for relation in dataset.relations],
    }


def _table(dataset: Dataset, relation: Relation) -> Block:
    return {
        "name": relation.name,
        "description": relation.description,
        "columns": [_column(dataset, relation, column) for column in relation.published.values()],
    }


def _column(dataset: Dataset, relation: Relation, column: Column) -> Block:
    tests = list(_tests(dataset, relation, column))
    return {
        "name": column.name,
        "quote": True,
        "description": column.description,
        "data_type": postgres_type(column),
        "config": {"meta": {"unit": column.unit}},
        **({"data_tests": tests} if tests else {}),
    }


def _tests(dataset: Dataset, relation: Relation, column: Column) -> Iterator[str | Block]:
    if not column.nullable:
        yield "not_null"
    if column.is_unique or relation.key == (column.name,):
        yield "unique"
    if column.allowed and not column.sensitive:
        texts = all(isinstance(value, str) for value in column.allowed)
        yield {"accepted_values": {"arguments": {"values": list(column.allowed), "quote": texts}}}
    for reference in relation.foreign_keys:
        if reference.columns == (column.name,):
            (key,) = dataset.relation(reference.to).key
            to = f"source('{dataset.name}', '{reference.to}')"
            yield {"relationships": {"arguments": {"to": to, "field": key}}}
