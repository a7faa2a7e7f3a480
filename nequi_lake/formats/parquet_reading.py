"""Reads a Parquet file that nobody can trust, page by page; see :mod:`nequi_lake.formats.guarded`."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nequi_lake.formats.base import RAW_KEPT_BYTES
from nequi_lake.formats.drift import Drift, ignored_notes
from nequi_lake.formats.guarded import UnreadableFileError
from nequi_lake.formats.magic import seems_to_be
from nequi_lake.formats.transcribed import Damage, Step, too_large
from nequi_lake.formats.words import listed

_BATCH_RECORDS = 2**16
_BATCH_BYTES = 2**25
_BUFFER_BYTES = 2**20
_BEGINNING_BYTES = 1024
_UNITS = {"s": "ms", "ms": "ms", "us": "us", "ns": "ns"}


def read_parquet(
    path: str, copy: str | None, most: int, schema: Mapping[str, pl.DataType], kept: tuple[str, ...], drift: Drift
) -> Iterator[Step]:
    """Read all pages of a Parquet file, and verify the checksums that they have.

    Args:
        path: the file.
        copy: where to write its values; None for nowhere.
        most: bytes that it may unpack to.
        schema: the columns that it must have.
        kept: those of them that the copy has.
        drift: how the columns may differ.

    Raises:
        UnreadableFileError: it is no Parquet file, has other columns, or unpacks to more.
    """
    _check_magic(Path(path))
    file = _opened(path, "us")
    names = file.schema_arrow.names
    problem = _difference(file.schema_arrow, schema, drift)
    if problem:
        raise UnreadableFileError(problem)
    called = drift.found(names)
    facts = file.metadata
    claimed = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    if claimed > most:
        raise too_large(claimed, most)
    at_once = min(_BATCH_RECORDS, max(1, _BATCH_BYTES * facts.num_rows // max(1, claimed)))
    records = unpacked = 0
    with ExitStack() as stack:
        plain = {name: schema[name] for name in kept}
        form = pl.DataFrame(schema=plain).to_arrow().schema
        writer = stack.enter_context(pq.ParquetWriter(copy, form, compression="lz4")) if copy else None
        nanoseconds = _nanoseconds(path, file, at_once)
        for batch in file.iter_batches(batch_size=at_once, use_threads=False):
            unpacked += batch.nbytes + batch.num_rows
            if unpacked > most:
                raise too_large(unpacked, most)
            damaged = sorted({**dict(_cut_off(batch, nanoseconds)), **dict(_damaged(batch))}.items())
            if writer:
                writer.write_table(_values(batch, damaged, plain, called).to_arrow().cast(form))
            yield Step(
                batch.num_rows,
                [Damage(records + at, records + at + 1, reason, _text(batch.slice(at, 1))) for at, reason in damaged],
                notes=() if records else tuple(ignored_notes(_examples(batch, drift.ignored(names)))),
            )
            records += batch.num_rows
    if records != facts.num_rows:
        raise UnreadableFileError(f"it says that it has {facts.num_rows:,} rows, and {records:,} can be read")


def read_schema(path: str) -> Iterator[str]:
    """Yield the Arrow schema of a Parquet file as base64 of Arrow's own message.

    Raises:
        UnreadableFileError: it is no Parquet file.
    """
    _check_magic(Path(path))
    found: pa.Schema = _opened(path, "us").schema_arrow.remove_metadata()
    yield base64.b64encode(found.serialize()).decode()


def _opened(path: str, unit: str) -> pq.ParquetFile:
    """The file, whose old timestamps of 96 bits (INT96) are read in a unit: no unit of 64 bits holds all of them."""
    return pq.ParquetFile(
        path,
        page_checksum_verification=True,
        pre_buffer=False,
        buffer_size=_BUFFER_BYTES,
        coerce_int96_timestamp_unit=unit,
    )


def _nanoseconds(path: str, file: pq.ParquetFile, at_once: int) -> Iterator[pa.RecordBatch] | None:
    """The timestamps of 96 bits in nanoseconds, where the highest digits may be cut off; None where there are none."""
    columns = [file.schema.column(number) for number in range(len(file.schema))]
    found = [column.path for column in columns if column.physical_type == "INT96"]
    nested = [name for name in found if name not in file.schema_arrow.names]
    if nested:
        raise UnreadableFileError(f"timestamps of 96 bits within other values: {listed(nested)}; write them anew")
    return _opened(path, "ns").iter_batches(batch_size=at_once, columns=found, use_threads=False) if found else None


def _cut_off(batch: pa.RecordBatch, nanoseconds: Iterator[pa.RecordBatch] | None) -> Iterator[tuple[int, str]]:
    """The rows of which a timestamp of 96 bits has more digits than microseconds, and what is wrong with them."""
    for name, exact in zip(*_columns(next(nanoseconds)), strict=True) if nanoseconds else ():
        kept = batch.column(name)
        # Both wrap around alike where nanoseconds do not fit into 64 bits.
        rest = exact.view(pa.int64()).fill_null(0).to_numpy() - kept.view(pa.int64()).fill_null(0).to_numpy() * 1000
        for at in rest.nonzero()[0]:
            yield int(at), f"a time in {name} of more digits than microseconds"


def _columns(batch: pa.RecordBatch) -> tuple[Sequence[str], Sequence[pa.Array]]:
    return batch.schema.names, batch.columns


def _check_magic(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(_BEGINNING_BYTES)
        beginning = head[:4]
        stream.seek(-min(4, path.stat().st_size), 2)
        end = stream.read()
    if b"PARE" in (beginning, end):
        raise UnreadableFileError("it is encrypted; give it without encryption")
    if beginning != b"PAR1":
        raise UnreadableFileError(f"it is no Parquet file, which begins with PAR1: {seems_to_be(head)}")
    if end != b"PAR1":
        raise UnreadableFileError("it is cut off: a Parquet file ends with PAR1")


def _damaged(batch: pa.RecordBatch) -> Iterator[tuple[int, str]]:
    """The rows that have a value which is none of its type, such as a text that is not UTF-8, and why."""
    waiting = [(0, batch.num_rows)]
    while waiting:
        start, end = waiting.pop()
        try:
            batch.slice(start, end - start).validate(full=True)
        except pa.ArrowInvalid as error:
            if end - start == 1:
                yield start, f"a value that its type does not have: {_first_line(error)}"
                continue
            middle = (start + end) // 2
            waiting += [(middle, end), (start, middle)]


def _text(row: pa.RecordBatch) -> str:
    """The values of a damaged row that can be read, as the quarantine has them."""
    values = {}
    for name in row.schema.names:
        try:
            row.column(name).validate(full=True)
            values[name] = row.column(name)[0].as_py()
        except pa.ArrowInvalid:
            continue
    said = json.dumps(values, ensure_ascii=False, default=str)
    return json.dumps({"text": said[:RAW_KEPT_BYTES]}, ensure_ascii=False)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _examples(batch: pa.RecordBatch, names: Sequence[str]) -> dict[str, str]:
    """Column → its first value."""
    first = json.loads(json.loads(_text(batch.slice(0, 1)))["text"]) if names and batch.num_rows else {}
    return {name: str(first.get(name, "")) for name in names}


def _values(
    batch: pa.RecordBatch,
    damaged: list[tuple[int, str]],
    schema: Mapping[str, pl.DataType],
    called: Mapping[str, str],
) -> pl.DataFrame:
    """The values of a batch in these columns, by the names that they have there; of a damaged row nothing."""
    plain = batch.select([called[name] for name in schema if name in called])
    if damaged:
        sound = pa.array([True] * batch.num_rows).to_pylist()
        for at, _ in damaged:
            sound[at] = False
        numbers = pa.array([at if is_sound else None for at, is_sound in enumerate(sound)], pa.int64())
        plain = plain.take(numbers)
    frame = pl.from_arrow(plain)
    assert isinstance(frame, pl.DataFrame)
    return frame.select(
        (pl.col(called[name]) if name in called else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def _difference(found: pa.Schema, declared: Mapping[str, pl.DataType], drift: Drift) -> str | None:
    """Return how the columns of a file differ from the declared ones; None where they may."""
    types = {field.name: polars_type(field.type) for field in found}
    called = drift.found(found.names)
    missing = [
        f"{name} ({dtype})" for name, dtype in declared.items() if name not in called and name not in drift.optional
    ]
    extra = [f"{name} ({types[name] or found.field(name).type})" for name in drift.ignored(found.names)]
    twice = sorted(name for name, count in Counter(found.names).items() if count > 1)
    if twice:
        return f"columns that stand twice: {listed(twice)}"
    others = [
        f"{old}, which is {types[old] or found.field(old).type} and declared as {declared[name]}"
        for name, old in called.items()
        if types[old] not in (declared[name], pl.Null())
    ]
    if drift.extra == "ignore":
        extra = []
    parts = [
        *([f"missing columns {listed(missing)}"] if missing else []),
        *([f"unexpected columns {listed(extra)}, to be declared in schema=, and in dropped= too"] if extra else []),
        *([f"columns of another type: {listed(others, 120)}"] if others else []),
    ]
    return "; ".join(parts) + (drift.advice(missing, extra) if called else "") if parts else None


def polars_type(arrow: pa.DataType) -> pl.DataType | None:
    """The type that a column of an Arrow type is declared with; None where there is none."""
    if pa.types.is_dictionary(arrow):
        return polars_type(arrow.value_type)
    if pa.types.is_timestamp(arrow):
        return pl.Datetime(_UNITS[arrow.unit], "UTC" if arrow.tz else None)  # type: ignore[arg-type]
    if pa.types.is_decimal(arrow):
        return (
            pl.Decimal(arrow.precision, arrow.scale) if arrow.precision <= _MOST_DIGITS and arrow.scale >= 0 else None
        )
    if pa.types.is_map(arrow):
        key, item = polars_type(arrow.key_type), polars_type(arrow.item_type)
        return pl.List(pl.Struct({"key": key, "value": item})) if key and item else None
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow):
        inner = polars_type(arrow.value_type)
        return pl.List(inner) if inner else None
    if pa.types.is_struct(arrow):
        fields = {field.name: polars_type(field.type) for field in arrow}
        return pl.Struct({name: dtype for name, dtype in fields.items() if dtype}) if all(fields.values()) else None
    return next((dtype() for is_one, dtype in _PLAIN.items() if is_one(arrow)), None)


_MOST_DIGITS = 38
_PLAIN = {
    pa.types.is_int8: pl.Int8,
    pa.types.is_int16: pl.Int16,
    pa.types.is_int32: pl.Int32,
    pa.types.is_int64: pl.Int64,
    pa.types.is_uint8: pl.UInt8,
    pa.types.is_uint16: pl.UInt16,
    pa.types.is_uint32: pl.UInt32,
    pa.types.is_uint64: pl.UInt64,
    pa.types.is_float32: pl.Float32,
    pa.types.is_float64: pl.Float64,
    pa.types.is_boolean: pl.Boolean,
    pa.types.is_string: pl.String,
    pa.types.is_large_string: pl.String,
    pa.types.is_date: pl.Date,
    pa.types.is_time: pl.Time,
    pa.types.is_binary: pl.Binary,
    pa.types.is_large_binary: pl.Binary,
    pa.types.is_fixed_size_binary: pl.Binary,
    pa.types.is_null: pl.Null,
}
