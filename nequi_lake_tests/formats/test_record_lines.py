"""A record's number is turned into the line on which a person finds it in an editor."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.formats import CsvFile, JsonLinesFile, RawFile, Structure

CSV = CsvFile(name="f.csv", description="F.", columns=("id", "text"))
JSON = JsonLinesFile(name="f.json", description="F.", schema={"id": pl.Int64()})
PLAIN = "id,text\n0,a\n1,b\n2,c\n"
SPANNING = 'id,text\n0,"a\nb\nc"\n1,d\n2,"e ""f""\n\ng"\n3,h\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is written."""
    return tmp_path / "file"


def lines(path: Path, content: str | bytes, *records: int, file: RawFile = CSV) -> dict[int, int | None]:
    """The lines on which these records of a file with this content begin, asked for one after the other."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with path.open("rb") as stream:
        lines_of = file.find_records(stream, file.inspect(path))
        return {record: lines_of(pl.Series([record]))["line"].item() for record in records}


def test_a_record_per_line_begins_two_lines_below_its_number(path: Path) -> None:
    assert lines(path, PLAIN, 0, 1, 2) == {0: 2, 1: 3, 2: 4}


def test_a_record_that_spans_lines_moves_those_after_it(path: Path) -> None:
    assert lines(path, SPANNING, 0, 1, 2, 3) == {0: 2, 1: 5, 2: 6, 3: 9}


def test_a_header_that_spans_lines_moves_all_records(path: Path) -> None:
    file = CsvFile(name="f.csv", description="F.", columns=("id", "text\nof it"))
    assert lines(path, 'id,"text\nof it"\n0,a\n1,b\n', 0, 1, file=file) == {0: 3, 1: 4}


def test_records_may_be_asked_for_many_at_once() -> None:
    spans_lines = Structure(records=4, lines=9)
    lines_of = CSV.find_records(io.BytesIO(SPANNING.encode()), spans_lines)
    assert lines_of(pl.Series([0, 2]))["line"].to_list() == [2, 6]
    assert lines_of(pl.Series([3]))["line"].to_list() == [9]
    assert lines_of(pl.Series([], dtype=pl.Int64))["line"].to_list() == []


@pytest.mark.parametrize("content", [PLAIN, SPANNING], ids=["plain", "spanning"])
def test_windows_line_ends_change_nothing(path: Path, content: str) -> None:
    assert lines(path, content.replace("\n", "\r\n"), 0, 1, 2) == lines(path, content, 0, 1, 2)


@pytest.mark.parametrize("content", [PLAIN, SPANNING, f'"id"{PLAIN[2:]}'], ids=["plain", "spanning", "quoted"])
def test_a_byte_order_mark_changes_nothing(path: Path, content: str) -> None:
    assert lines(path, b"\xef\xbb\xbf" + content.encode(), 0, 1, 2) == lines(path, content, 0, 1, 2)


def test_a_file_that_does_not_end_in_a_line_end_has_its_last_record(path: Path) -> None:
    assert lines(path, PLAIN.rstrip("\n"), 2) == {2: 4}
    assert lines(path, SPANNING.rstrip("\n"), 3) == {3: 9}


def test_records_may_be_passed_over(path: Path) -> None:
    assert lines(path, SPANNING, 1, 3) == {1: 5, 3: 9}


def test_a_record_that_the_file_does_not_have_is_on_no_line(path: Path) -> None:
    assert lines(path, SPANNING, 3, 4) == {3: 9, 4: None}


def test_bytes_that_are_not_utf8_do_not_hide_the_records_after_them(path: Path) -> None:
    assert lines(path, b'id,text\n0,\xff\xfe\n1,"b\nc"\n2,d\n', 0, 1, 2) == {0: 2, 1: 3, 2: 5}


def test_a_record_of_too_few_or_too_many_fields_is_one_record(path: Path) -> None:
    assert lines(path, 'id,text\n0\n1,a,"b\n",c\n2,c\n', 0, 1, 2) == {0: 2, 1: 3, 2: 5}


def test_a_json_record_is_a_line(path: Path) -> None:
    assert lines(path, '{"id": 1}\n\n{"id": 3}\n', 0, 1, 2, file=JSON) == {0: 1, 1: 2, 2: 3}


def test_reading_ends_with_the_last_record_wanted() -> None:
    stream = io.BytesIO(b"id,text\n" + b"0,aaaaaaaa\n" * 100_000)
    lines_of = CSV.find_records(stream, Structure(records=100_000, lines=100_002))
    assert lines_of(pl.Series([3]))["line"].to_list() == [5]
    assert stream.tell() < 100_000


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("content", [PLAIN, SPANNING], ids=["one line each", "spanning"])
def test_a_record_is_found_with_its_bytes(path: Path, content: str, mark: bytes) -> None:
    path.write_bytes(mark + content.encode())
    structure = CSV.inspect(path)
    with path.open("rb") as stream:
        found = CSV.find_records(stream, structure)(pl.Series([0, 2])).to_dicts()
    whole = path.read_bytes()
    for row in found:
        at = whole[row["offset_bytes"] : row["offset_bytes"] + row["size_bytes"]]
        assert at.decode() == row["original"]
    assert [row["original"][:2] for row in found] == ["0,", "2,"]


def test_a_field_of_any_length(path: Path) -> None:
    assert lines(path, b'id,text\n0,"' + b"y\n" * 100_000 + b'"\n1,a\n', 1) == {1: 100_003}
