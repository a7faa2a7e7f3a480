"""A canary: the values of sensitive columns are in the raw zone, and in no other file, output, record or log."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dataframely as dy
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nequi_lake.errors import AuditError
from nequi_lake.formats import CsvFile, JsonLinesFile, ParquetFile, RawFile, WorkbookFile
from nequi_lake.pipeline.mart import publish_marts
from nequi_lake.pipeline.trial import source_at, try_dataset
from nequi_lake.profiling.dictionary import dictionary_markdown
from nequi_lake_tests.aws import Mailbox
from nequi_lake_tests.conftest import released
from nequi_lake_tests.datasets import people
from nequi_lake_tests.datasets.people import DATASET
from nequi_lake_tests.formats.things import filled, things
from nequi_lake_tests.pipeline.test_sensitive import GOOD, HEADER, KEY, deliver, lake_at, publish_report

PROGRAM = [sys.executable, "-c", "from nequi_lake.cli import program; program()"]
CANARIES = re.compile(rb"(?i)c4n4ry|76543219|1917-11-0|17-11-1917")
"""What stands in sensitive fields alone: a text, the beginning of numbers, and days."""

_BY_FORM = {
    "sound": "765432190,c4n4ry,c4n4ry@x.co,Tc4n4ry,7654321.90,1917-11-07,Cali",
    "sound, without some values": "765432191,c4n4ry b,,,7654321.91,1917-11-08,Lima",
    "bad in a masked text": "765432192,c4n4ry c,c4n4ry,Tc4n4ry,7654321.92,1917-11-07,Cali",
    "bad in a masked number": "765432193,c4n4ry d,c4n4ry@x.co,Tc4n4ry,7654321.93c4n4ry,1917-11-07,Cali",
    "bad in a dropped text": "765432194,c4n4ry e,c4n4ry@x.co,c4n4ry,7654321.94,1917-11-07,Cali",
    "bad in a hashed date": "765432195,c4n4ry f,c4n4ry@x.co,Tc4n4ry,7654321.95,17-11-1917,Cali",
    "bad in a hashed key": "765432196c4n4ry,c4n4ry g,c4n4ry@x.co,Tc4n4ry,7654321.96,1917-11-07,Cali",
    "bad elsewhere": "765432197,c4n4ry h,c4n4ry@x.co,Tc4n4ry,7654321.97,1917-11-07,",
    "bad for what is made of it": "765432198,c4n4ry i,c4n4ry@x.co,Tc4n4ry,76543219.00,1917-11-07,Quito",
    "one of a key": "765432199,c4n4ry j,c4n4ry@x.co,Tc4n4ry,7654321.99,1917-11-07,Cali",
    "another of it": "765432199,c4n4ry j,c4n4ry@y.co,Tc4n4ry,7654321.99,1917-11-07,Cali",
    "said twice": "765432190,c4n4ry,c4n4ry@x.co,Tc4n4ry,7654321.90,1917-11-07,Cali",
    "a field too many": "c4n4ry,7654321980,c4n4ry@x.co,Tc4n4ry,c4n4ry,1917-11-07,Cali,c4n4ry",
    "a field too few": "c4n4ry,c4n4ry@x.co",
    "a quote that closes nothing": '765432190,"c4n4ry" c4n4ry,c4n4ry@x.co,Tc4n4ry,7654321.90,1917-11-07,Cali',
}
PEOPLE = "\n".join([HEADER, *GOOD, *_BY_FORM.values()]) + "\n"
VISITS = "1,5\n765432190,6\n765432199,7\n7654321955,8\n765432190,c\n7654321c4n4ry,9\n"
_CALLS = (
    {"call": 1, "caller": {"phone": "c4n4ry 76543219", "town": "Cali"}},
    {"call": 2, "caller": {"phone": "c4n", "town": "Cali"}},
    {"call": 3, "caller": {"phone": "c4n4ry 76543219", "town": None}},
    {"call": "c4n4ry", "caller": {"phone": "c4n4ry 76543219", "town": "Cali"}},
    {"call": 4, "caller": {"phone": "c4n4ry 76543219", "town": "Cali", "c4n4ry": 1}},
)
CALLS = "".join(json.dumps(call) + "\n" for call in _CALLS) + '{"call": 5, "caller": {"phone": "c4n4ry\n'


def showing(text: str | bytes) -> list[bytes]:
    """The lines of a text that have a canary."""
    content = text.encode() if isinstance(text, str) else text
    return [line[:300] for line in content.splitlines() if CANARIES.search(line)]


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and the values and statistics of one that packs them."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield str(pq.read_metadata(path).to_dict()).encode()
        yield json.dumps(pl.read_parquet(path, hive_partitioning=False).to_dicts(), default=str).encode()
    elif path.suffix == ".avro":
        yield json.dumps(pl.read_avro(path).to_dicts(), default=repr).encode()


def files_showing(*folders: Path, without: Path) -> list[str]:
    """The files below folders, but for those below one of them, that have a canary."""
    return [
        str(path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and without not in path.parents and any(showing(each) for each in _contents(path))
    ]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a lake of the people, recorded by Dagster."""
    home, modules = tmp_path / "dagster", tmp_path / "mine"
    home.mkdir()
    modules.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    for name in ("people.py", "spending.sql"):
        (modules / name).write_bytes(Path(people.__file__).with_name(name).read_bytes())
    return {
        **os.environ,
        "NEQUI_LAKE_URI": str(tmp_path / "lake"),
        "NEQUI_LAKE_SOURCE": str(tmp_path / "inbox"),
        "NEQUI_LAKE_DATASETS": str(modules),
        "NEQUI_LAKE_BUILT_IN": "off",
        "NEQUI_LAKE_HASH_KEY": KEY,
        "DAGSTER_HOME": str(home),
        "TMPDIR": str(home),
    }


def said(env: dict[str, str], *command: str) -> tuple[int, str]:
    """The exit code of a command, and all that it says."""
    done = subprocess.run([*PROGRAM, *command], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


READING = (
    ["doctor", "--format", "json"],
    ["tables"],
    ["sql", "SELECT * FROM people.people"],
    ["sql", "SELECT count(name) FROM people.people WHERE email = 1"],
    *(["quarantine", f"people.{table}", "--format", "json"] for table in ("people", "visits", "calls")),
    *(["quarantine", f"people.{table}", "--summary"] for table in ("people", "visits", "calls")),
    ["history", "people.people"],
    ["dictionary"],
    ["try", "people"],
    ["try", "people", "{inbox}/people/people.csv"],
    ["maintain"],
    ["catalog", "rebuild"],
)


@pytest.mark.long
def test_the_values_are_in_the_raw_zone_alone(env: dict[str, str], tmp_path: Path) -> None:
    deliver(tmp_path / "inbox", PEOPLE, VISITS, CALLS)
    lake, home = tmp_path / "lake", tmp_path / "dagster"
    code, text = said(env, "--debug", "run")
    assert (code, showing(text)) == (0, []), text
    for command in READING:
        code, text = said(env, *(word.format(inbox=tmp_path / "inbox") for word in command))
        assert showing(text) == [], command
        assert code == 0 or command[0] in ("try", "sql"), text
    assert files_showing(lake, home, without=lake / "raw") == []
    # It is there to be found.
    assert files_showing(lake, without=home)


def test_no_file_and_no_page_shows_them(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox", PEOPLE, VISITS, CALLS)
    lake = lake_at(tmp_path)
    released(lake, "people")
    publish_marts(lake, DATASET, DATASET.mart_groups[0], "test")
    publish_report(lake)
    names = [f"people.{relation.name}" for relation in DATASET.relations]
    said = [lake._repr_html_(), dictionary_markdown([DATASET])]
    for name in names:
        table = lake.table(name)
        said += [table._repr_html_(), str(table.describe().to_dicts()), str(table.to_polars().to_dicts())]
    for of in DATASET.tables:
        said += [str(lake.quarantine(f"people.{of.name}").to_dicts())]
        said += map(str, lake.broken_rules(f"people.{of.name}"))
    assert [text for text in said if showing(text)] == []
    root = tmp_path / "lake"
    assert files_showing(root, without=root / "raw") == []
    # It is there to be found.
    assert files_showing(root, without=tmp_path / "inbox")


def test_the_quarantine_says_where_a_record_is(tmp_path: Path) -> None:
    deliver(tmp_path / "inbox", PEOPLE, VISITS, CALLS)
    lake = lake_at(tmp_path)
    released(lake, "people")
    rows = {row["record"]: row for row in lake.quarantine("people.people").iter_rows(named=True)}
    elsewhere, damaged = (rows[3 + list(_BY_FORM).index(form)] for form in ("bad elsewhere", "a field too many"))
    assert json.loads(elsewhere["raw"]) == {
        **dict.fromkeys(("person", "name", "email", "tax_number", "income", "born"), "***"),
        "town": None,
    }
    assert (damaged["rule"], json.loads(damaged["raw"])) == ("8 fields where the header has 7", {"text": "***"})
    kept = next((tmp_path / "lake" / "raw" / "people").rglob("people.csv")).read_bytes()
    for row, form in ((elsewhere, "bad elsewhere"), (damaged, "a field too many")):
        assert row["original"] is None
        assert kept[row["offset_bytes"] :][: row["size_bytes"]].decode() == _BY_FORM[form]
    (call, *_) = (row for row in lake.quarantine("people.calls").iter_rows(named=True) if row["record"] == 2)
    assert json.loads(call["raw"]) == {"call": 3, "caller": "***"}


def small(**facts: Any) -> dy.Column:
    """A column that none of the canaries fits."""
    return dy.Int64(max=10, **facts)


def _write_workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ("id", "value"),
        (1, 7),
        (2, 765432191),
        (3, "c4n4ry"),
        (4, 7, "c4n4ry"),
        (5, "#DIV/0!"),
        (6, "=c4n4ry"),
    ):
        book.active.append(row)
    book.save(path)


def _write_parquet(path: Path) -> None:
    texts = pa.array([b"7", b"765432191", b"c4n4ry", b"c4n4ry\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": [1, 2, 3, 4], "value": texts}), path)


def _write_numbers(path: Path) -> None:
    pl.DataFrame({"id": [1, 2], "value": [7, 765432191]}).write_parquet(path)


_ABOUT: Any = {"description": "Things."}
_TEXT = "id;value\n1;7\n2;765432191\n3;c4n4ry\n4;c4n4ry;c4n4ry\nc4n4ry\n"
_OBJECTS = '[{"id": 1, "value": "7"}, {"id": 2, "value": "765432191"},\n{"id": 3, "value": "c4n4ry"}, {"c4n4ry": 1}]'
FORMATS: dict[str, tuple[RawFile, Callable[[Path], object], int]] = {
    "a compressed text of another encoding": (
        CsvFile(name="things.csv", columns=("id", "value"), separator=";", encoding="cp1252", **_ABOUT),
        lambda path: path.write_bytes(gzip.compress(_TEXT.encode() + b"5;c4n4ry\x81\n")),
        5,
    ),
    "an array of objects": (
        JsonLinesFile(name="things.json", schema={"id": pl.Int64(), "value": pl.String()}, **_ABOUT),
        lambda path: path.write_text(_OBJECTS),
        3,
    ),
    "Parquet with texts": (
        ParquetFile(name="things.parquet", schema={"id": pl.Int64(), "value": pl.String()}, **_ABOUT),
        _write_parquet,
        3,
    ),
    "Parquet with numbers": (
        ParquetFile(name="things.parquet", schema={"id": pl.Int64(), "value": pl.Int64()}, **_ABOUT),
        _write_numbers,
        1,
    ),
    "a workbook": (WorkbookFile(name="things.xlsx", columns=("id", "value"), **_ABOUT), _write_workbook, 5),
}


@pytest.mark.parametrize("case", FORMATS)
def test_no_format_shows_them(tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture) -> None:
    file, write, bad = FORMATS[case]
    lake = filled(things(file, small, sensitive="mask"), tmp_path, {file.name: write})
    assert lake.table("things.things").to_polars().rows() == [(1, "***")]
    aside = lake.quarantine("things.things")
    said = [str(aside.to_dicts()), str(lake.broken_rules("things.things")), caplog.text]
    assert (aside.height, [text for text in said if showing(text)]) == (bad, [])
    root = tmp_path / "lake"
    assert files_showing(root, without=root / "raw") == []


REFUSED = {
    "no header": ("\n".join(_BY_FORM.values()) + "\n", "it is not as declared; what it has is not shown"),
    "a broken header": (f'"c4n4ry{HEADER}\n1,c4n4ry\n', "it is not as declared; what it has is not shown"),
    "another column": (PEOPLE.replace("person,name", "number,name"), "missing columns person"),
    "most are damaged": (HEADER + "\n" + "1,c4n4ry\n" * 9, "line 2: 2 fields where the header has 7"),
    "no text": (HEADER + "\n" + "1,c4n4ry\0\n" * 9, "line 2: a NUL byte"),
    "all are bad": (HEADER + "\n" + _BY_FORM["bad in a masked text"] + "\n", "all 1 records of people.csv are bad"),
    "another separator": (PEOPLE.replace(",", ";"), "it is not as declared; what it has is not shown"),
    "columns that nobody declared": (
        PEOPLE.replace("town", "town,other").replace("Cali", "Cali,c4n4ry") + "1,c4n4ry\n" * 99,
        "the column other is not declared and is ignored",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_not_quoted(tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture) -> None:
    content, words = REFUSED[case]
    deliver(tmp_path / "inbox", content)
    lake = lake_at(tmp_path)
    with pytest.raises(AuditError) as refused:
        released(lake, "people")
    assert words in str(refused.value)
    with source_at(DATASET, tmp_path / "inbox" / "people") as source:
        trial = try_dataset(DATASET, source)
    assert words in str(trial.checks)
    said = [str(refused.value), str(trial), caplog.text]
    assert [text for text in said if showing(text)] == []
    root = tmp_path / "lake"
    assert files_showing(root, without=root / "raw") == []


@pytest.mark.long
def test_no_alert_quotes_what_is_refused(env: dict[str, str], tmp_path: Path, mailbox: Mailbox) -> None:
    env |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    env["NEQUI_LAKE_ALERT_TOPIC"] = mailbox.topic
    lake, home = tmp_path / "lake", tmp_path / "dagster"
    for case in ("no header", "all are bad"):
        deliver(tmp_path / "inbox", REFUSED[case][0])
        code, text = said(env, "--debug", "run")
        assert (code, showing(text)) == (1, []), case
    messages = mailbox.messages()
    assert len(messages) == 2
    assert showing(json.dumps(messages)) == []
    assert files_showing(lake, home, without=lake / "raw") == []


@pytest.mark.long
def test_what_the_engine_says_is_not_repeated(env: dict[str, str], tmp_path: Path) -> None:
    module = Path(env["NEQUI_LAKE_DATASETS"], "people.py")
    strict = module.read_text().replace("pl.Decimal(12, 2), strict=False)", "pl.Decimal(12, 2))")
    assert strict != module.read_text()
    module.write_text(strict)
    deliver(tmp_path / "inbox", PEOPLE)
    lake, home = tmp_path / "lake", tmp_path / "dagster"
    code, text = said(env, "--debug", "run")
    assert (code, showing(text)) == (1, []), text
    assert "could not be staged: InvalidOperationError, of which no more can be shown" in text
    assert files_showing(lake, home, without=lake / "raw") == []
