"""What a changed declaration changes of a table in the catalog: columns and their descriptions, and its partitions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.partitioning import PartitionField
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction
from pyiceberg.transforms import IdentityTransform, Transform, YearTransform

from nequi_lake.datasets.contract import arrow_schema
from nequi_lake.datasets.relation import Partition
from nequi_lake.datasets.spec import Relation


def evolve(change: Transaction, relation: Relation) -> None:
    """Add to a change what makes the table as its relation is declared now."""
    _evolve_columns(change, relation)
    _evolve_partitions(change, relation)


def _evolve_columns(change: Transaction, relation: Relation) -> None:
    contract = arrow_schema(relation.contract)
    current = change.table_metadata.schema()
    if current.as_arrow() != contract:
        with change.update_schema(allow_incompatible_changes=True) as schema:
            for column in sorted(set(current.column_names) - set(relation.columns)):
                schema.delete_column(column)
            schema.union_by_name(contract)
        _evolve_types(change, contract)
    documented = {field.name: field.doc for field in change.table_metadata.schema().fields}
    changed = {
        name: column.description
        for name, column in relation.columns.items()
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
