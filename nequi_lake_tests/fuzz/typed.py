"""Values of every type, nearly valid ones too: each is read as docs/values.md says, or its record is put aside.

The models are plain Python, and know nothing of how the lake reads.
"""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl
from hypothesis import strategies as st

from nequi_lake.datasets.contract import column_meta
from nequi_lake.datasets.spec import Dataset, Table
from nequi_lake.engines.polars import stage
from nequi_lake.formats import CsvFile, JsonLinesFile, RawFile
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.release import Release
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import open_storage
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.fuzz.cases import is_blank
from nequi_lake_tests.fuzz.outcomes import came

PUT_ASIDE = object()
RELEASE = Release(id="r", run_id="run", raw_version="v", tables=("values",))
Model = Callable[[str], Any]


def whole_number(bits: int, text: str) -> Any:
    """The model of ``Int64`` and the like."""
    found = re.fullmatch(r"([+-]?[0-9]+)(\.0*)?", text.strip(" \t"))
    number = int(found[1]) if found else None
    return number if number is not None and -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else PUT_ASIDE


def floating_number(bits: int, text: str) -> Any:
    """The model of ``Float64`` and ``Float32``: what is no number, infinite, or long and written out is put aside."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text.strip(" \t")):
        return PUT_ASIDE
    number = float(text)
    if bits == 32 and abs(number) < 2.0**128:
        try:
            number = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            return PUT_ASIDE
    is_kept = abs(number) < 2 ** (53 if bits == 64 else 24) or "e" in text.lower()
    return number if is_kept and abs(number) < (float("inf") if bits == 64 else 2.0**128) else PUT_ASIDE


def decimal_number(precision: int, scale: int, text: str) -> Any:
    """The model of ``Decimal``."""
    text = text.strip(" \t")
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        return PUT_ASIDE
    with localcontext() as context:
        context.prec = 200
        number = Decimal(text)
        fits = number == number.quantize(Decimal(1).scaleb(-scale)) and abs(number) < Decimal(10) ** (precision - scale)
    return number if fits else PUT_ASIDE


def truth(text: str) -> Any:
    """The model of ``Boolean``."""
    return {"true": True, "false": False}.get(text.strip(" \t").lower(), PUT_ASIDE)


def day(text: str) -> Any:
    """The model of ``Date`` as ISO 8601."""
    return _parsed(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text, lambda *found: date(*map(int, found)))


def day_first(text: str) -> Any:
    """The model of ``Date`` as ``%-d/%m/%Y``."""
    return _parsed(r"([0-9]{1,2})/([0-9]{2})/([0-9]{4})", text, lambda d, m, y: date(int(y), int(m), int(d)))


def day_in_words(text: str) -> Any:
    """The model of ``Date`` as ``%d-%b-%Y``."""
    months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    pattern = r"([0-9]{2})-([A-Za-z]{3})-([0-9]{4})"
    return _parsed(pattern, text, lambda d, m, y: date(int(y), months.index(m.lower()) + 1, int(d)))


def moment(text: str, *, digits: int = 6, zoned: bool = False) -> Any:
    """The model of ``Datetime``."""
    pattern = rf"([0-9-]{{10}})[T ]([0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:\.([0-9]{{1,{digits}}})0*)?"
    offset = r"([Zz]|[+-][0-9]{2}:?[0-9]{2})" if zoned else "()"

    def made(on: str, at: str, fraction: str | None, zone: str) -> datetime:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", on):
            raise ValueError
        clock = datetime.strptime(f"{on} {at}", "%Y-%m-%d %H:%M:%S")
        value = clock + timedelta(microseconds=int((fraction or "0").ljust(6, "0")))
        if not zone:
            return value
        sign, hours, minutes = (1, 0, 0) if zone in "Zz" else (int(f"{zone[0]}1"), int(zone[1:3]), int(zone[-2:]))
        if hours > 23 or minutes > 59:
            raise ValueError
        return value.replace(tzinfo=UTC) - sign * timedelta(hours=hours, minutes=minutes)

    return _parsed(pattern + offset, text, made)


def half_day(text: str) -> Any:
    """The model of ``Datetime`` as ``%-m/%-d/%Y %I:%M %p``."""

    def made(month: str, on: str, year: str, hour: str, minute: str, half: str) -> datetime:
        if not 1 <= int(hour) <= 12:
            raise ValueError
        return datetime(int(year), int(month), int(on), int(hour) % 12 + 12 * (half in "Pp"), int(minute))

    return _parsed(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{2}):([0-9]{2}) ([AaPp])[Mm]", text, made)


def _parsed(pattern: str, text: str, made: Callable[..., Any]) -> Any:
    found = re.fullmatch(pattern, text.strip(" \t"))
    try:
        return made(*found.groups()) if found else PUT_ASIDE
    except (ValueError, OverflowError):
        return PUT_ASIDE


@dataclass(frozen=True)
class Kind:
    """A type of columns.

    Attributes:
        column: makes the column.
        model: what a text that is not missing becomes.
        sound: texts from which others are made.
        format: how dates and times are written; None for ISO 8601.
    """

    column: Callable[..., dy.Column]
    model: Model
    sound: tuple[str, ...]
    format: str | None = None


NUMBERS = (
    "0",
    "5",
    "-5",
    "+5",
    "007",
    "5.0",
    "5.",
    "127",
    "-128",
    "128",
    "32767",
    "-32769",
    "2147483647",
    "2147483648",
)
LARGE = ("2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1" * 40, "0" * 30 + "7")
FRACTIONS = ("0.5", "-.5", "1e3", "1E-3", "0.99", "1.005", "1.500", "12345678.99", "9999999999.99", "0.1", "16777217")
EXTREME = ("1e308", "1.8e308", "5e-324", "3.4028235e38", "3.4028236e38", "1e400", "inf", "-Infinity", "nan", "1e-400")
DAYS = ("2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "0000-12-31", "1969-12-31", "2024-13-01", "2024-1-2")
TIMES = (
    *("2024-01-02 03:04:05", "2024-01-02T03:04:05.25", "2024-01-02T23:59:60", "1969-12-31T23:59:59.999999"),
    *("9999-12-31T23:59:59.123456", "0001-01-01T00:00:00", "2024-01-02T03:04:05.1234567", "2024-01-02T24:00:00"),
)
ZONED = (
    *("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.5+02:00", "2024-01-02 03:04:05-0530", "0001-01-01T00:00:00+01:00"),
    *("9999-12-31T23:59:59-23:59", "2024-01-02T03:04:05+14:00", "2024-01-02T03:04:05z", "2024-01-02T03:04:05+24:00"),
)

TYPES: dict[str, Kind] = {
    **{
        f"Int{bits}": Kind(getattr(dy, f"Int{bits}"), partial(whole_number, bits), (*NUMBERS, *LARGE, *FRACTIONS[:3]))
        for bits in (64, 32, 16, 8)
    },
    **{
        f"Float{bits}": Kind(
            getattr(dy, f"Float{bits}"), partial(floating_number, bits), (*NUMBERS, *LARGE, *FRACTIONS, *EXTREME)
        )
        for bits in (64, 32)
    },
    **{
        f"Decimal({precision}, {scale})": Kind(
            partial(dy.Decimal, precision, scale),
            partial(decimal_number, precision, scale),
            (*NUMBERS, *LARGE, *FRACTIONS),
        )
        for precision, scale in ((12, 2), (38, 0), (38, 38), (4, 4))
    },
    "Boolean": Kind(dy.Bool, truth, ("true", "false", "True", "FALSE", "yes", "1", "t")),
    "String": Kind(dy.String, lambda text: text, ("plain", " spaced ", "Año ☕", "NA", "null", '"quoted"', "a\nb")),
    "Binary": Kind(dy.Binary, lambda text: text.encode(), ("plain", " spaced ", "Año ☕", "0xff")),
    "Date": Kind(dy.Date, day, DAYS),
    "Date as %-d/%m/%Y": Kind(dy.Date, day_first, ("31/12/2024", "1/02/2024", "30/02/2024", "12/31/2024"), "%-d/%m/%Y"),
    "Date as %d-%b-%Y": Kind(dy.Date, day_in_words, ("02-Jan-2024", "31-sep-2024", "29-FEB-2024"), "%d-%b-%Y"),
    "Datetime": Kind(dy.Datetime, moment, TIMES),
    "Datetime in ms": Kind(partial(dy.Datetime, time_unit="ms"), partial(moment, digits=3), TIMES),
    "Datetime in UTC": Kind(partial(dy.Datetime, time_zone="UTC"), partial(moment, zoned=True), (*ZONED, *TIMES[:2])),
    "Datetime as %-m/%-d/%Y %I:%M %p": Kind(
        dy.Datetime, half_day, ("1/2/2024 03:04 PM", "12/31/2024 12:00 am", "1/2/2024 00:04 PM"), "%-m/%-d/%Y %I:%M %p"
    ),
}
JSON_TYPES: Mapping[str, Any] = {
    "Int64": pl.Int64(),
    "Int32": pl.Int32(),
    "Float64": pl.Float64(),
    "String": pl.String(),
    "Boolean": pl.Boolean(),
    "List": pl.List(pl.Int64()),
}


@cache
def _dataset(kind: str, *, is_json: bool = False) -> Dataset:
    """A dataset of one column of a type beside a number."""
    facts: dict[str, Any] = {"nullable": True, "description": "A value."}
    meta: dict[str, Any] = {"unit": "x", "source": "value", "null_limit": 1.0}
    if is_json:
        columns: dict[str, Any] = {"Boolean": dy.Bool, "List": partial(dy.List, dy.Int64(nullable=True))}
        value = columns.get(kind, getattr(dy, kind, dy.Column))(**facts, metadata=column_meta(**meta))
        schema = {"id": pl.Int64(), "value": JSON_TYPES[kind]}
        file: RawFile = JsonLinesFile(name="values.json", description="Values.", schema=schema)
    else:
        value = TYPES[kind].column(**facts, metadata=column_meta(**meta, format=TYPES[kind].format))
        file = CsvFile(name="values.csv", description="Values.", columns=("id", "value"))
    number = dy.Int64(primary_key=True, description="Its number.", metadata=column_meta(unit="id", source="id"))
    contract = type("Values", (dy.Schema,), {"id": number, "value": value})
    return Dataset(
        name="values",
        slug="nobody/values",
        title="Values",
        licence="none",
        use_case="Tests.",
        files=(file,),
        tables=(Table(name="values", description="Values.", contract=contract, quarantine_limit=1.0),),
    )


@dataclass(frozen=True)
class Texts:
    """Texts of a column.

    Attributes:
        kind: its type.
        texts: in the order of the file.
    """

    kind: str
    texts: tuple[str, ...]


ODD = (*" \t+-._,:eE/0159TZzxXNaAPpMm'%", "٥", "−", "\u00a0", "\u2003", "\ufeff", "１", "\v", "K", "ı")


@st.composite
def _nearly(draw: st.DrawFn, sound: tuple[str, ...]) -> str:
    """A text of these that was changed in up to two places."""
    text = draw(st.sampled_from(sound))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        with_what = draw(st.sampled_from(["", *ODD]))
        text = text[:at] + with_what + text[at + draw(st.integers(0, 1)) :]
    return text


def _texts_of(kind: str) -> st.SearchStrategy[Texts]:
    odd = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)
    near = _nearly(TYPES[kind].sound)
    one = st.one_of(near, near, near, st.sampled_from(["", " ", "  ", "\t"]), odd)
    return st.lists(one, min_size=5, max_size=30).map(lambda texts: Texts(kind, tuple(texts)))


TEXTS = st.sampled_from(list(TYPES)).flatmap(_texts_of)


def is_read_as_documented(case: Texts) -> None:
    """Stage a CSV file of these texts.

    Raises:
        AssertionError: a text became another value than the model's, or was put aside, or was not.
    """
    dataset = _dataset(case.kind)
    content = io.StringIO(newline="")
    writer = csv.writer(content, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "value"), *enumerate(case.texts)])
    expected = {number: _expected(case.kind, text) for number, text in enumerate(case.texts)}
    _compare(dataset, content.getvalue(), expected, case.kind)


def _expected(kind: str, text: str) -> Any:
    if text in ("", " ") or (kind == "String" and is_blank(text)):
        return None
    return TYPES[kind].model(text)


@dataclass(frozen=True)
class JsonTexts:
    """JSON texts of a column of this type."""

    kind: str
    texts: tuple[str, ...]


_JSON_NUMBERS = (
    *("0", "-0", "5", "5.0", "5.5", "1e3", "-2147483649", "2147483647", "9223372036854775807", "9223372036854775808"),
    *("1e308", "1e309", "1" * 25, "0.1", "-1E-7", "123456789012345678"),
)
_JSON = st.one_of(
    st.sampled_from(_JSON_NUMBERS),
    st.sampled_from(
        ["null", "true", "false", '"5"', '""', '" "', '"true"', '"a\\u0000b"', '"\\ud83d\\ude00"', "[]", "{}"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(2**33), 2**33).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(json.dumps),
    st.lists(st.none() | st.integers(-(2**65), 2**65) | st.booleans() | st.just("x"), max_size=3).map(json.dumps),
)
JSON_TEXTS = st.builds(
    JsonTexts, kind=st.sampled_from(list(JSON_TYPES)), texts=st.lists(_JSON, min_size=5, max_size=30).map(tuple)
)


def is_read_from_json_as_documented(case: JsonTexts) -> None:
    """Stage JSON lines of these values.

    Raises:
        AssertionError: a value became another one, or was put aside, or was not.
    """
    content = "".join(f'{{"id": {number}, "value": {text}}}\n' for number, text in enumerate(case.texts))
    expected = {number: _json_expected(case.kind, json.loads(text)) for number, text in enumerate(case.texts)}
    _compare(_dataset(case.kind, is_json=True), content, expected, f"JSON {case.kind}")


def _json_expected(kind: str, value: Any) -> Any:
    """The model of JSON values: of the type that the schema says, and no other."""
    if value is None:
        return None
    match kind:
        case "Int64" | "Int32":
            half = 2 ** (int(kind[3:]) - 1)
            return value if type(value) is int and -half <= value < half else PUT_ASIDE
        case "Float64":
            is_one = type(value) in (int, float) and abs(value) < float("inf")
            return float(value) if is_one else PUT_ASIDE
        case "String":
            return (None if is_blank(value) else value) if isinstance(value, str) else PUT_ASIDE
        case "Boolean":
            return value if isinstance(value, bool) else PUT_ASIDE
        case _:
            numbers = value if isinstance(value, list) else [PUT_ASIDE]
            return PUT_ASIDE if {PUT_ASIDE, None} & {_json_expected("Int64", one) for one in numbers} else numbers


def _compare(dataset: Dataset, content: str, expected: Mapping[int, Any], kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(Path(name, "lake"))}))
        kept = kept_file(dataset, Path(name), content)
        if not kept.readable:
            came(f"value of {kind}: file refused")
            (file,) = dataset.files
            assert kept.damaged == sum(value is PUT_ASIDE for value in expected.values()), file.inspect(Path(kept.path))
            return
        staged = stage(dataset, {kept.file: kept}, ["values"], RELEASE, storage)["values"]
        aside = set(newest_quarantine(storage, dataset, dataset.tables[0]).collect()["record"])
        rows = {row[0]: row[1] for path in staged.paths for row in pl.read_parquet(path).iter_rows()}
    assert not aside & set(rows)
    assert aside | set(rows) == set(expected)
    for number, value in expected.items():
        came(f"value of {kind}: " + ("put aside" if number in aside else "read"))
        assert (PUT_ASIDE if number in aside else rows[number]) == value or (value is PUT_ASIDE and number in aside), (
            number,
            rows.get(number, "put aside"),
            value,
        )
        assert number in aside or type(rows[number]) is type(value)
