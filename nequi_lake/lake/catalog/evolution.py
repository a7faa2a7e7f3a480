"""What a changed declaration changes of a table in the catalog: columns and their descriptions, and its partitions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import ValidationError
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.partitioning import PartitionField
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.transforms import IdentityTransform, Transform, YearTransform

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.relation import Partition
from nequi_lake.datasets.spec import Relation
from nequi_lake.errors import CatalogError
from nequi_lake.formats.types import sql_type, sql_types


def evolve(change: Transaction, relation: Relation) -> None:
    """Add to a change what makes the table as its relation is declared now.

    Raises:
        CatalogError: a column has another type than before that Iceberg's table cannot take.
    """
    try:
        _refuse_partition_types(change, relation)
        _evolve_columns(change, relation)
    except (ValidationError, ValueError) as refusal:
        raise CatalogError(
            f"The table {relation.name} cannot take a column of the type that is declared now.",
            where=str(refusal),
            fix="Give the column another name; one that the table is cut by stays as it is, or the table gets another.",
        ) from refusal
    _evolve_partitions(change, relation)


def _refuse_partition_types(change: Transaction, relation: Relation) -> None:
    """Refuse another type of a column that the table is or was cut by, which names the files of older releases."""
    schema = change.table_metadata.schema()
    before = sql_types(schema.as_arrow())
    for field in (field for spec in change.table_metadata.partition_specs for field in spec.fields):
        name = schema.find_column_name(field.source_id) or ""
        if name not in relation.published:
            continue
        now = sql_type(relation.published[name].dtype)
        if now != before[name]:
            raise ValueError(f"{name} is of the type {before[name]}, and not {now}, in the table's partitions")


def _evolve_columns(change: Transaction, relation: Relation) -> None:
    contract = arrow_schema(relation.contract)
    current = change.table_metadata.schema()
    if current.as_arrow() != contract:
        with change.update_schema(allow_incompatible_changes=True) as schema:
            for column in sorted({field.name for field in current.fields} - set(relation.published)):
                schema.delete_column(column)
            schema.union_by_name(contract)
        _evolve_types(change, contract)
    documented = {field.name: field.doc for field in change.table_metadata.schema().fields}
    changed = {
        name: column.description
        for name, column in relation.published.items()
        if documented.get(name, column.description) != column.description
    }
    if changed:
        with change.update_schema() as schema:
            for name, description in changed.items():
                schema.update_column(name, doc=description)


def _evolve_types(change: Transaction, contract: pa.Schema) -> None:
    """Give each column the declared type, also where Iceberg's own union keeps one that it takes to be wider.

    Nobody reads older files by the new type: a snapshot has all files of its release, and the schema of its time.
    """
    current = change.table_metadata.schema()
    declared = pyarrow_to_schema(contract, current.name_mapping)
    with change.update_schema(allow_incompatible_changes=True) as schema:
        for number in declared.field_ids:
            wanted, name = declared.find_type(number), declared.find_column_name(number)
            if name and wanted.is_primitive and wanted != current.find_type(number):
                schema.update_column(name, field_type=wanted)


def _evolve_partitions(change: Transaction, relation: Relation) -> None:
    spec, schema = change.table_metadata.spec(), change.table_metadata.schema()
    declared = relation.partition_by
    stale = [field for field in spec.fields if not _is_declared(field, declared, schema)]
    missing = declared is not None and len(stale) == len(spec.fields)
    if stale or missing:
        with change.update_spec() as partitions:
            for field in stale:
                partitions.remove_field(field.name)
            if declared and missing:
                partitions.add_field(declared.column, _transform(declared), declared.name)


def _is_declared(field: PartitionField, declared: Partition | None, schema: Schema) -> bool:
    return declared is not None and (field.name, schema.find_column_name(field.source_id), field.transform) == (
        declared.name,
        declared.column,
        _transform(declared),
    )


def _transform(partition: Partition) -> Transform[Any, Any]:
    """The Iceberg transform of a partition."""
    return YearTransform() if partition.by_year else IdentityTransform()
