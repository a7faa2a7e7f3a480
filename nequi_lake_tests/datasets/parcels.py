"""A dataset for tests, of references of several columns: lines of orders, and the parcels that they went in."""

from __future__ import annotations

import dataframely as dy

from nequi_lake import RECORD, CsvFile, Dataset, Mart, Reference, Table, column_meta


class Orders(dy.Schema):
    """One row per order."""

    order = dy.Int64(primary_key=True, description="Order.", metadata=column_meta(unit="id", source="order"))


class Lines(dy.Schema):
    """One row per line of an order."""

    order = dy.Int64(
        primary_key=True, description="Order.", metadata=column_meta(unit="id", source="order", references="orders")
    )
    line = dy.Int64(primary_key=True, min=1, description="Line.", metadata=column_meta(unit="id", source="line"))


class Parcels(dy.Schema):
    """One row per parcel."""

    parcel = dy.Int64(primary_key=True, description="Parcel.", metadata=column_meta(unit="id", source=RECORD))
    of_order = dy.Int64(
        nullable=True, description="Order.", metadata=column_meta(unit="id", source="of_order", null_limit=1.0)
    )
    of_line = dy.Int64(
        nullable=True, description="Line.", metadata=column_meta(unit="id", source="of_line", null_limit=1.0)
    )


class Moved(dy.Schema):
    """One row per parcel."""

    parcel = dy.Int64(
        primary_key=True, description="Parcel.", metadata=column_meta(unit="id", derived_from=["parcels.parcel"])
    )
    of_order = dy.Int64(
        nullable=True,
        description="Order.",
        metadata=column_meta(unit="id", derived_from=["parcels.of_order"], null_limit=1.0),
    )
    of_line = dy.Int64(
        nullable=True,
        description="The line after.",
        metadata=column_meta(unit="id", derived_from=["parcels.of_line"], null_limit=1.0),
    )


LINES_OF_PARCELS = Reference(("of_order", "of_line"), to="lines")


def parcels(*references: Reference) -> Dataset:
    """The dataset, with these references of its parcels."""
    return Dataset(
        name="parcels",
        files=(
            CsvFile(name="orders.csv", description="Orders.", columns=("order",)),
            CsvFile(name="lines.csv", description="Lines.", columns=("order", "line")),
            CsvFile(name="parcels.csv", description="Parcels.", columns=("of_order", "of_line")),
        ),
        tables=(
            Table(name="orders", description="Orders.", contract=Orders, files=("orders.csv",), quarantine_limit=0.9),
            Table(name="lines", description="Lines.", contract=Lines, files=("lines.csv",), quarantine_limit=0.9),
            Table(
                name="parcels",
                description="Parcels.",
                contract=Parcels,
                files=("parcels.csv",),
                references=references or (LINES_OF_PARCELS,),
                quarantine_limit=0.9,
            ),
        ),
        marts=(
            Mart(
                name="moved",
                description="Each parcel by the line after its own.",
                contract=Moved,
                references=(LINES_OF_PARCELS,),
            ),
        ),
    )
