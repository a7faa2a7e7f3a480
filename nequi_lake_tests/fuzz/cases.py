"""Damaged files, and what must be so of each: it is refused with a reason, or every record of it is accounted for."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from nequi_lake.datasets.checks import ROWS_ACCOUNTED_FOR
from nequi_lake.datasets.spec import Dataset
from nequi_lake.engines.polars import stage
from nequi_lake.errors import SourceError
from nequi_lake.formats import NULL_TOKENS, TextFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.lake.quarantine import newest_quarantine
from nequi_lake.lake.release import Release, StagedTable
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage
from nequi_lake.quality.audit import audit
from nequi_lake.quality.structure import structure_check
from nequi_lake.sources.unzip import unzip
from nequi_lake_tests.datasets.kept import kept_file
from nequi_lake_tests.datasets.notes import CARDS, NOTES
from nequi_lake_tests.fuzz.outcomes import came

RECORDS = 300
_LINE_END = re.compile(rb"[\r\n]+")


def is_blank(text: str) -> bool:
    """Whether it is empty or has only Unicode's white space, which Python's separators of information are not."""
    return not (text.strip() or set(text) & set("\x1c\x1d\x1e\x1f"))


def csv_records_of(records: int) -> list[bytes]:
    """Records of notes, some of them in quotes and some over many lines."""
    kinds = ["{0},plain words\n", '{0},"in, quotes"\n', '{0},"over\nlines, ""said""\n"\n', "{0},\n", "{0},Año ☕\n"]
    return [kinds[number % len(kinds)].format(number).encode() for number in range(records)]


def json_records_of(records: int) -> list[bytes]:
    """Records of cards, with text in and beyond ASCII, escapes, and nulls."""
    kinds: list[dict[str, Any]] = [
        {"text": "plain", "more": {"score": 0.5, "tags": ["a", "b"]}},
        {"text": 'said "it"\n', "more": {"score": 3, "tags": []}},
        {"text": "Año ☕", "more": {"score": -1e-7, "tags": ["ä"]}},
        {"text": None, "more": None},
        {"text": "", "more": {"score": None, "tags": None}},
    ]
    return [
        json.dumps({"id": n, **kinds[n % len(kinds)]}, ensure_ascii=n % 10 < 5).encode() + b"\n" for n in range(records)
    ]


Row = tuple[Any, ...]


def _csv_row(text: bytes) -> Row:
    number, said = next(csv.reader(io.StringIO(text.decode(), newline="")))
    return float(number), None if said in NULL_TOKENS or is_blank(said) else said


def _json_row(text: bytes) -> Row:
    card = json.loads(text)
    said = card["text"]
    score = card["more"] and card["more"]["score"]
    return float(card["id"]), None if not said or is_blank(said) else said, score if score is None else float(score)


@dataclass(frozen=True)
class Format:
    """A format of raw files.

    Attributes:
        dataset: one of one table, of one file in this format.
        head: what comes before the records.
        records: sound records.
        row: what another parser makes of a record that is not put aside: the table's row.
        tokens: what is put into it, to be taken for more than text.
    """

    dataset: Dataset
    head: bytes
    records: list[bytes]
    row: Callable[[bytes], Row]
    tokens: tuple[bytes, ...]


FORMATS = {
    "CSV": Format(
        NOTES,
        b"id,text\n",
        csv_records_of(RECORDS),
        _csv_row,
        (b'"', b'""', b",", b'","', b"\r", b"\r\n", b"\n\n", b"\0", b"NA", b"1e400", b"\xe2\x80\xa8", b"\x85", b"\x1a"),
    ),
    "JSON lines": Format(
        CARDS,
        b"",
        json_records_of(RECORDS),
        _json_row,
        (
            *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\r", b"\r\n", b"\n\n", b"\0", b"\t", b" "),
            *(b"null", b"NaN", b"-Infinity", b"1e400", b"-0", b"00", b"1.0", b"9223372036854775808", b"1" * 30),
            *(b'"id":1,', b'"text":"x",', b'"more":null,', b'"other":0,', b"true"),
            *(b"\\ud800", b"\\u0000", b"\\x", b"//"),
            # Kinds of JSONTestSuite that are no bytes of the ones above.
            *(
                b"-" + b"1" * 48,
                b"1" * 48,
                b"1" * 48 + b".5",
                b"-1e999",
                b"1e+2",
                b"1E-400",
                b"0x1",
                b".5",
                b"5.",
                b"+1",
            ),
            *(b'"id" :1,', b'"\\u0069d":1,', b'"id"\t : 1,', b"\\uD834\\uDD1E", b"[" * 500, b"Infinity", b"'a'"),
        ),
    ),
}
ENDS = ("plain", "windows", "mixed")
Hit = tuple[str, float, int, int]


@dataclass(frozen=True)
class Case:
    """A file and what happened to it.

    Attributes:
        kind: of which format it is.
        mark: whether it begins with a byte order mark.
        ends: how its lines end.
        hits: kind, place from 0 to 1, byte or token, and size of each damage.
    """

    kind: str
    mark: bool
    ends: str
    hits: tuple[Hit, ...]

    @property
    def content(self) -> bytes:
        """The file."""
        form = FORMATS[self.kind]
        lines = [form.head, *form.records]
        if self.ends != "plain":
            every = 1 if self.ends == "windows" else 3
            lines = [line if n % every else line.replace(b"\n", b"\r\n") for n, line in enumerate(lines)]
        content = codecs.BOM_UTF8 * self.mark + b"".join(lines)
        for one in self.hits:
            content = hit(content, *one, form.tokens)
        return content


def hit(content: bytes, kind: str, place: float, byte: int, size: int, tokens: tuple[bytes, ...]) -> bytes:
    """Content that was damaged at a place."""
    at = int(place * len(content))
    match kind:
        case "flip":
            return content[:at] + bytes([byte]) + content[at + 1 :]
        case "insert":
            return content[:at] + bytes([byte]) * size + content[at:]
        case "token":
            return content[:at] + tokens[byte % len(tokens)] + content[at:]
        case "delete":
            return content[:at] + content[at + size :]
        case "repeat":
            return content[: at + size] + content[at:]
        case "mark":
            return content[:at] + codecs.BOM_UTF8 + content[at:]
        case "half a character":
            start = content.find("☕".encode(), at)
            return content if start < 0 else content[: start + 1 + size % 2] + content[start + 3 :]
        case "cut in a character":
            start = content.find("☕".encode(), at)
            return content if start < 0 else content[: start + 1 + size % 2]
        case _:
            return content[:at]


KINDS = ("flip", "insert", "token", "delete", "repeat", "mark", "half a character", "cut in a character", "cut")
ODD = [*b'",\n\r\0 x7\\{}[]', 0xFF, 0xC3, 0xEF]
CASES = st.builds(
    Case,
    kind=st.sampled_from(list(FORMATS)),
    mark=st.booleans(),
    ends=st.sampled_from(ENDS),
    hits=st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.floats(0, 1, exclude_max=True),
            st.sampled_from(ODD) | st.integers(0, 255),
            st.integers(1, 40),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


def is_refused_or_accounted_for(case: Case) -> None:
    """Look at a damaged file and stage it.

    Raises:
        AssertionError: a record is nowhere, or twice, or not as it stands in the file.
    """
    form = FORMATS[case.kind]
    (file,) = form.dataset.files
    (table,) = form.dataset.tables
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        storage = open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(folder / "lake")}))
        one = kept_file(form.dataset, folder, case.content)
        if not one.readable:
            came(f"{case.kind}: refused")
            found = file.inspect(Path(one.path))
            assert structure_check(file.name, found, form.dataset.quarantine_limit(file, found.records)).found
            return
        came(f"{case.kind}: loaded, {one.damaged} damaged")
        assert isinstance(file, TextFile)
        records = list(file.validate_records(io.BytesIO(case.content), one.parts[0].structure))
        content = case.content.removeprefix(codecs.BOM_UTF8)
        if one.parts[0].structure.layout:
            content = _LINE_END.sub(b" ", content)
        left = without(content, [record.text for record in records])
        assert not (left.strip(b" \t,[]") if one.parts[0].structure.layout else left)
        release = Release(id="r", run_id="run", raw_version="v", tables=(table.name,))
        staged = stage(form.dataset, {file.name: one}, [table.name], release, storage)[table.name]
        aside = set(newest_quarantine(storage, form.dataset, table).collect()["record"])
        assert len(aside) == staged.accounting.quarantined
        expected = [form.row(r.text) for r in records if not r.passed_over and r.number not in aside]
        assert rows_of(staged, storage) == in_order(expected)
        checks = {check.name: check for check in audit(form.dataset, {table.name: staged}, {}, storage)}
        assert checks[ROWS_ACCOUNTED_FOR].passed


def without(content: bytes, texts: Iterable[bytes]) -> bytes:
    """What is left of ``content`` without these texts, which follow one another in it."""
    left, at = b"", 0
    for text in texts:
        found = content.index(text, at)
        left, at = left + content[at:found], found + len(text)
    return left + content[at:]


def rows_of(staged: StagedTable, storage: StorageBackend) -> list[Row]:
    """What is in the staged files, in an order of its own."""
    import polars as pl

    rows = [row for path in staged.paths for row in pl.read_parquet(path).iter_rows()]
    return in_order((float(row[0]), *row[1:]) for row in rows)


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in an order of their own."""
    return sorted(rows, key=repr)


def a_zip_is_refused_or_gives_what_was_put_in(case: Case, packed: bool) -> None:
    """Damage a zip as the case says, and unpack it."""
    form = FORMATS[case.kind]
    content = form.head + b"".join(form.records)
    (file,) = form.dataset.files
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as opened:
        opened.writestr(zipfile.ZipInfo(f"data/{file.name}"), content)
    damaged = archive.getvalue()
    for one in case.hits:
        damaged = hit(damaged, *one, form.tokens)
    with tempfile.TemporaryDirectory() as name:
        path, into = Path(name, "archive.zip"), Path(name, "into")
        into.mkdir()
        path.write_bytes(damaged)
        try:
            there = unzip(path, file, into, UnpackLimits(max_bytes=2**20, max_ratio=200, max_members=100))
        except SourceError as refused:
            told = refused
        else:
            came("zip: unpacked" if there else "zip: has no such member")
            assert all(target.read_bytes() == content for target in there.values())
            return
        came("zip: refused")
        assert told.fix
        assert not list(into.iterdir())
