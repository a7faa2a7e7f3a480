"""A record that is longer than one may be is put aside whole, as one record, in bounded memory; nothing is cut."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.formats import CsvFile, JsonLinesFile
from nequi_lake.formats.lines import has_longer_line

LIMIT = 1_000
GIB = 2**30
CSV = CsvFile(name="notes.csv", description="Notes.", columns=("id", "text"), max_record_bytes=LIMIT)
JSON = JsonLinesFile(
    name="notes.json", description="Notes.", schema={"id": pl.Int64, "text": pl.String}, max_record_bytes=LIMIT
)


@pytest.mark.parametrize("file", [CSV, JSON], ids=["csv", "json"])
@pytest.mark.parametrize("length", [LIMIT + 1, 2 * LIMIT + 7, 100 * LIMIT])
def test_a_long_record_is_one_damaged_record(file: CsvFile | JsonLinesFile, length: int, tmp_path: Path) -> None:
    short = {CSV: ["1,a", "3,c"], JSON: ['{"id": 1, "text": "a"}', '{"id": 3, "text": "c"}']}[file]
    long = "2," + "x" * (length - 2) if file is CSV else '{"id": 2, "text": "' + "x" * (length - 21) + '"}'
    header = ["id,text"] if file is CSV else []
    path = tmp_path / file.name
    path.write_text("\n".join([*header, short[0], long, short[1]]) + "\n")
    structure = file.inspect(path)
    assert (structure.records, structure.damaged, structure.lines) == (3, 1, 3 + len(header))
    with path.open("rb") as content:
        repaired = file.repair(content, structure, tmp_path / "copy")
    (bad,) = repaired.damaged.to_dicts()
    assert (bad["record"], bad["line"]) == (1, 2 + len(header))
    assert bad["rule"] == f"a record of {len(long) + 1:,} bytes, where one may have {LIMIT:,}"
    raw = json.loads(bad["raw"])
    assert raw["size_bytes"] == len(long)
    assert long.startswith(raw["text"][:100])
    kept = file.scan([str(tmp_path / "copy")], structure, {}, is_copy=True).select("id", "text").collect()
    assert kept["text"].to_list() == ["a", None, "c"]


def test_a_byte_order_mark_is_no_part_of_a_record_s_length(tmp_path: Path) -> None:
    begin, end = '{"id": 1, "text": "', '"}\n'
    path = tmp_path / JSON.name
    path.write_bytes(b"\xef\xbb\xbf" + (begin + "x" * (LIMIT - len(begin + end)) + end).encode())
    assert JSON.inspect(path).is_sound


def test_a_long_last_field_beside_a_short_row_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / CSV.name
    path.write_text("id,text\n1,a\n2\n3," + "x" * 5 * LIMIT + "\n4,d\n")
    structure = CSV.inspect(path)
    assert (structure.records, structure.damaged) == (4, 2)


def test_a_file_that_is_one_line_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / CSV.name
    path.write_bytes(bytes(10 * LIMIT))
    (problem,) = CSV.inspect(path).problems
    assert problem.reason == f"the first line has {10 * LIMIT:,} bytes, which is no header"


def test_a_header_of_many_columns_is_refused_at_once_and_in_few_words(tmp_path: Path) -> None:
    path = tmp_path / CSV.name
    path.write_text(",".join(f"column{number}" for number in range(100_000)) + "\n")
    began = time.monotonic()
    (problem,) = replace(CSV, max_record_bytes=2**24).inspect(path).problems
    assert time.monotonic() - began < 10
    assert "and 99,990 more" in problem.reason
    assert len(problem.reason) < 400


@pytest.mark.parametrize(
    ("lengths", "limit", "found"),
    [
        ([5, 5], 6, False),
        ([6, 5], 6, True),
        ([5, 6], 6, True),
        ([], 6, False),
        ([3] * 50, 6, False),
        ([3] * 50 + [7], 6, True),
    ],
)
def test_a_line_that_is_too_long_is_found(tmp_path: Path, lengths: list[int], limit: int, found: bool) -> None:
    path = tmp_path / "lines"
    path.write_text("".join("x" * length + "\n" for length in lengths))
    assert has_longer_line(path, limit) is found


CODE = """
import resource, sys
from pathlib import Path
import polars as pl
from nequi_lake.formats import CsvFile, JsonLinesFile

csv = CsvFile(name="notes.csv", description="N.", columns=("id", "text"))
json = JsonLinesFile(name="notes.json", description="N.", schema={"id": pl.Int64, "text": pl.String})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert (csv if sys.argv[1].endswith("csv") else json).inspect(Path(sys.argv[1])).damaged == 1
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        ("notes.csv", b"id,text\n1,", b"\n2,b\n"),
        ("notes.csv", b'id,text\n1,"', b'"\n2,b\n'),
        ("notes.json", b'{"id": 1, "text": "', b'"}\n{"id": 2, "text": "b"}\n'),
    ],
    ids=["csv", "quoted", "json"],
)
def test_memory_does_not_follow_the_longest_line(tmp_path: Path, name: str, begin: bytes, end: bytes) -> None:
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.write(begin)
        for _ in range(600):
            stream.write(b"x" * 2**20)
        stream.write(end)
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < GIB / 4
