"""A record's number is turned into the line on which a person finds it in an editor."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nequi_lake.lake.lines import Lines

PLAIN = "id,text\n0,a\n1,b\n2,c\n"
SPANNING = 'id,text\n0,"a\nb\nc"\n1,d\n2,"e ""f""\n\ng"\n3,h\n'


def lines(content: str | bytes, *records: int) -> dict[int, int | None]:
    """The lines on which these records of a file with this content begin."""
    found = Lines(io.BytesIO(content.encode() if isinstance(content, str) else content))
    return {record: found.of(record) for record in records}


def test_a_record_a_line_begins_two_lines_below_its_number() -> None:
    assert lines(PLAIN, 0, 1, 2) == {0: 2, 1: 3, 2: 4}


def test_a_record_that_spans_lines_moves_those_after_it() -> None:
    assert lines(SPANNING, 0, 1, 2, 3) == {0: 2, 1: 5, 2: 6, 3: 9}


def test_a_header_that_spans_lines_moves_all_records() -> None:
    assert lines('id,"text\nof it"\n0,a\n', 0) == {0: 3}


@pytest.mark.parametrize("content", [PLAIN, SPANNING], ids=["plain", "spanning"])
def test_windows_line_ends_change_nothing(content: str) -> None:
    assert lines(content.replace("\n", "\r\n"), 0, 1, 2) == lines(content, 0, 1, 2)


@pytest.mark.parametrize("content", [PLAIN, SPANNING, f'"i\nd",{PLAIN[3:]}'], ids=["plain", "spanning", "quoted"])
def test_a_byte_order_mark_changes_nothing(content: str) -> None:
    assert lines(b"\xef\xbb\xbf" + content.encode(), 0, 1, 2) == lines(content, 0, 1, 2)


def test_a_file_that_does_not_end_in_a_line_end_has_its_last_record() -> None:
    assert lines(PLAIN.rstrip("\n"), 2) == {2: 4}


def test_records_may_be_passed_over() -> None:
    assert lines(SPANNING, 1, 3) == {1: 5, 3: 9}


def test_a_record_that_the_file_does_not_have_is_on_no_line() -> None:
    assert lines(PLAIN, 2, 3) == {2: 4, 3: None}
    assert lines("id,text\n", 0) == {0: None}
    assert lines("", 0) == {0: None}


def test_bytes_that_are_not_utf8_do_not_hide_the_records_after_them() -> None:
    assert lines(b"id,text\n0,\xff\xfe\n1,b\n", 1) == {1: 3}


def test_a_record_of_too_few_or_too_many_fields_is_one_record() -> None:
    assert lines("id,text\n0\n1,a,b,c\n2,c\n", 2) == {2: 4}


def test_reading_ends_with_the_last_record_wanted() -> None:
    stream = io.BytesIO(b"id,text\n" + b"0,aaaaaaaa\n" * 100_000)
    assert Lines(stream).of(3) == 5
    assert stream.tell() < 100_000


def test_a_field_of_any_length(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'id,text\n0,"' + b"y" * 200_000 + b'"\n1,a\n')
    with (tmp_path / "f").open("rb") as stream:
        assert Lines(stream).of(1) == 3
