"""What is wrong with a raw file is told with the line and a reason, before an engine reads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.formats import CsvFile, JsonLinesFile, OpaqueFile, RawFile, ShareLimit, Structure

CSV = CsvFile(name="orders.csv", description="Orders.", columns=("id", "text", "price"))
HEADER = "id,text,price\n"
BOM = b"\xef\xbb\xbf"

LINES = JsonLinesFile(
    name="papers.json",
    description="Papers.",
    schema={
        "title": pl.String(),
        "year": pl.Int64(),
        "score": pl.Float64(),
        "about": pl.Struct({"venue": pl.String, "fields": pl.List(pl.String)}),
    },
)
OPAQUE = OpaqueFile(name="notes.xlsx", description="Notes.")
SOUND = '{"title": "Año", "year": 2020, "score": 0.5, "about": {"venue": "X", "fields": ["Art", "Law"]}}\n'

LFS_POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 459322219\n"
)
WEB_PAGE = "\n<!DOCTYPE HTML>\n<html><title>Sign in</title></html>\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is written."""
    return tmp_path / "file"


def look(path: Path, file: RawFile, content: str | bytes) -> Structure:
    """The structure of a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return file.merge_structures({file.name: file.inspect(path)})


def only_problem(structure: Structure) -> tuple[int | None, str]:
    """Line and reason of the one thing that is wrong."""
    assert not structure.is_sound
    assert structure.problem_count == 1
    (problem,) = structure.problems
    return problem.line, problem.reason


@pytest.mark.parametrize("file", [CSV, LINES, OPAQUE], ids=lambda f: f.name)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("\ufeff", "the file is empty"),
        (LFS_POINTER, "Git LFS pointer"),
        (WEB_PAGE, "web page"),
        ("<html>", "web page"),
    ],
    ids=["empty", "byte order mark alone", "pointer", "page with doctype", "page"],
)
def test_what_is_no_content_is_refused_whatever_the_format(path: Path, file: RawFile, content: str, words: str) -> None:
    line, reason = only_problem(look(path, file, content))
    assert line is None
    assert words in reason


def test_a_file_that_nobody_reads_only_needs_content(path: Path) -> None:
    assert look(path, OPAQUE, b"PK\x03\x04\x00\xff").is_sound


@pytest.mark.parametrize(
    ("content", "records", "lines"),
    [
        (HEADER + "1,a,2\n2,b,3\n", 2, 3),
        (HEADER + "1,a,2\n2,b,3", 2, 3),
        ((HEADER + "1,a,2\n2,b,3\n").replace("\n", "\r\n"), 2, 3),
        (HEADER + '1,"a\nb\n\nc",2\n2,b,3\n', 2, 6),
        ((HEADER + '1,"a\nb",2\n2,b,3\n').replace("\n", "\r\n"), 2, 4),
        (HEADER + '1,"say ""hello"", twice",2\n2,"""",3\n', 2, 3),
        (HEADER + '1,"a ""b\nc"" d",2\n', 1, 3),
        (HEADER + ",,\n", 1, 2),
        (HEADER + "1,Año <br> ☕,2\n", 1, 2),
    ],
    ids=[
        "plain",
        "no line end at the end",
        "windows line ends",
        "records over many lines",
        "records over many windows lines",
        "doubled quotes",
        "doubled quotes over lines",
        "nothing but missing values",
        "not ASCII",
    ],
)
def test_a_sound_csv_is_whole_and_its_records_and_lines_are_counted(
    path: Path, content: str | bytes, records: int, lines: int
) -> None:
    assert look(path, CSV, content) == Structure(records=records, lines=lines, columns=CSV.columns)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,text", "2 columns where 3 are declared: missing columns price"),
        ("id,text,cost", "missing columns price; unexpected columns cost"),
        ("id,text,price,cost", "4 columns where 3 are declared: unexpected columns cost"),
        ("id,text,price,price", "columns that stand twice: price"),
        ("id,text,text", "missing columns price; columns that stand twice: text"),
        ("ID,text,price", "missing columns id; unexpected columns ID"),
        ("id;text;price", "1 columns where 3 are declared"),
    ],
    ids=["missing", "renamed", "extra", "twice", "twice for another", "other case", "other separator"],
)
def test_another_header_is_refused_with_the_difference(path: Path, header: str, words: str) -> None:
    line, reason = only_problem(look(path, CSV, f"{header}\n1,a,2\n"))
    assert line == 1
    assert words in reason


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_alone_is_refused(path: Path, end: str) -> None:
    assert only_problem(look(path, CSV, HEADER.rstrip() + end)) == (None, "the file has no records")


@pytest.mark.parametrize(
    ("record", "words"),
    [("1,a", "2 fields where the header has 3"), ("1,a,b,2", "4 fields where the header has 3")],
    ids=["too few", "too many"],
)
@pytest.mark.parametrize(
    ("before", "line"),
    [("", 2), ("1,a,2\n" * 3, 5), ('1,"a\nb\n\nc",2\n', 6)],
    ids=["first", "later", "after a record over many lines"],
)
def test_a_record_of_too_few_or_too_many_fields_is_reported_with_its_line(
    path: Path, before: str, line: int, record: str, words: str
) -> None:
    found, reason = only_problem(look(path, CSV, f"{HEADER}{before}{record}\n1,a,2\n"))
    assert found == line
    assert words in reason
    assert record in reason


def test_a_bad_record_over_many_lines_is_reported_with_the_line_on_which_it_begins(path: Path) -> None:
    line, reason = only_problem(look(path, CSV, HEADER + '1,a,2\n1,"a\nb"\n1,a,2\n'))
    assert line == 3
    assert "2 fields where the header has 3" in reason


def test_bad_records_are_counted_and_the_first_of_them_shown(path: Path) -> None:
    found = look(path, CSV, HEADER + "1,a,2\n" + "1,a\n" * 7)
    assert (found.records, found.lines, found.problem_count) == (8, 9, 7)
    assert [problem.line for problem in found.problems] == [3, 4, 5, 6, 7]


def test_a_bad_record_far_into_a_big_file_is_reported_with_its_line(path: Path) -> None:
    text = "\n".join(["twenty lines of words"] * 20)
    rows = [f'{number},"{text}",1.5\n' for number in range(12_000)]
    rows[11_000] = "11000,1.5\n"
    found = look(path, CSV, HEADER + "".join(rows))
    assert (found.records, found.lines) == (12_000, 1 + 20 * 11_999 + 1)
    assert only_problem(found)[0] == 2 + 20 * 11_000


def test_a_line_of_nothing_but_spaces_is_reported_with_its_line(path: Path) -> None:
    assert only_problem(look(path, CSV, HEADER + "1,a,2\n   \n1,a,2\n")) == (3, "a blank line")


@pytest.mark.parametrize("bad", [b"\xff", b"\xe9", b"\xc3\x28"], ids=["no UTF-8 at all", "Latin-1", "cut in two"])
def test_a_byte_that_is_not_utf8_is_reported_with_its_line(path: Path, bad: bytes) -> None:
    row = b"1,some words to fill a line,2\n"
    content = HEADER.encode() + row * 1_000 + b"1,caf" + bad + b",2\n" + row * 10
    line, reason = only_problem(look(path, CSV, content))
    assert line == 1_002
    assert "not UTF-8" in reason


@pytest.mark.parametrize("before", [0, 3, 200_000])
def test_a_nul_byte_is_reported_with_its_line(path: Path, before: int) -> None:
    row = b"1,some words to fill a line,2\n"
    content = HEADER.encode() + row * before + b"1,\0,2\n" + row
    assert only_problem(look(path, CSV, content)) == (before + 2, "a NUL byte")


def test_a_quote_that_is_never_closed_is_reported_with_the_line_that_opens_it(path: Path) -> None:
    line, reason = only_problem(look(path, CSV, HEADER + "1,a,2\n" * 3 + '1,"a,2\n' + "1,a,2\n" * 20))
    assert line == 5
    assert "a quote is opened and never closed" in reason


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (SOUND * 3, 3),
        ((SOUND * 3).rstrip("\n"), 3),
        ((SOUND * 2).replace("\n", "\r\n"), 2),
        (SOUND.replace('"score": 0.5', '"score": 1'), 1),
        (SOUND.replace('"Año"', r'"line\nbreak and \"quote\" \u00f1"'), 1),
        (SOUND.replace('["Art", "Law"]', "[]"), 1),
    ],
    ids=["plain", "no line end at the end", "windows line ends", "whole score", "escapes", "empty list"],
)
def test_sound_json_lines_are_whole_and_counted(path: Path, content: str, records: int) -> None:
    assert look(path, LINES, content) == Structure(records=records, lines=records)


@pytest.mark.parametrize(
    "line",
    [
        '{"title": null, "year": null, "score": null, "about": null}\n',
        SOUND.replace('"X"', "null").replace('["Art", "Law"]', "null"),
    ],
    ids=["every value", "nested values"],
)
def test_null_is_allowed_for_any_value(path: Path, line: str) -> None:
    assert look(path, LINES, SOUND + line) == Structure(records=2, lines=2)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (SOUND[:40] + "\n", ["truncated", SOUND[:10]]),
        (SOUND.replace('"year": 2020', '"year": "2020"'), ["int", "str", "$.year"]),
        (SOUND.replace('"year": 2020', '"year": 2020.5'), ["int", "float", "$.year"]),
        (SOUND.replace('"year": 2020', '"year": true'), ["int", "bool", "$.year"]),
        (SOUND.replace('"Law"', "7"), ["str", "int", "$.about.fields[1]"]),
        (SOUND.replace('{"venue": "X", "fields": ["Art", "Law"]}', '"X"'), ["object", "str", "$.about"]),
        (SOUND.replace('"year": 2020', '"year": 2020, "pages": 7'), ["unknown", "`pages`"]),
        (SOUND.replace('"venue": "X"', '"venue": "X", "city": "Y"'), ["unknown", "`city`", "$.about"]),
        (SOUND.replace('"year": 2020, ', ""), ["missing", "`year`"]),
        (SOUND.replace('"venue": "X", ', ""), ["missing", "`venue`", "$.about"]),
        ("[1, 2]\n", ["object", "array"]),
        ('"words"\n', ["object", "str"]),
        ("null\n", ["object", "null"]),
        ("not JSON\n", ["malformed", "not JSON"]),
        (SOUND.rstrip("\n") + SOUND, ["trailing characters"]),
        ("\n", ["a blank line"]),
        ("  \r\n", ["a blank line"]),
    ],
    ids=[
        "truncated",
        "text for a number",
        "fraction for a whole number",
        "truth for a number",
        "number in a list of texts",
        "text for an object",
        "unknown key",
        "unknown nested key",
        "missing key",
        "missing nested key",
        "list for a record",
        "text for a record",
        "null for a record",
        "no JSON",
        "two records on a line",
        "blank",
        "blank with spaces",
    ],
)
def test_a_bad_json_line_is_reported_with_its_line(path: Path, line: str, words: list[str]) -> None:
    found, reason = only_problem(look(path, LINES, SOUND * 2 + line + SOUND))
    assert found == 3
    assert [word for word in words if word not in reason] == []


def test_bytes_that_are_not_utf8_are_reported_with_their_json_line(path: Path) -> None:
    content = SOUND.encode() * 2 + SOUND.encode("latin-1") + SOUND.encode()
    line, reason = only_problem(look(path, LINES, content))
    assert line == 3
    assert "utf-8" in reason.lower()


def test_bad_json_lines_are_counted_and_the_first_of_them_shown(path: Path) -> None:
    found = look(path, LINES, (SOUND + "{}\n") * 7)
    assert (found.records, found.lines, found.problem_count) == (14, 14, 7)
    assert [problem.line for problem in found.problems] == [2, 4, 6, 8, 10]


def test_a_file_without_a_sound_record_does_not_load_whatever_the_limit(path: Path) -> None:
    assert not look(path, CSV, HEADER + "1,a\n" * 8).is_readable(ShareLimit(1))
    assert look(path, CSV, HEADER + "1,a\n" * 8 + "1,a,2\n").is_readable(ShareLimit(1))


@pytest.mark.parametrize("content", ["", HEADER, "id,text\n1,a\n", WEB_PAGE], ids=["empty", "header", "other", "page"])
def test_what_is_wrong_with_the_whole_file_is_no_damaged_record(path: Path, content: str) -> None:
    structure = look(path, CSV, content)
    assert not structure.is_readable(ShareLimit(1))


ROW = "1,some words to fill a line,2\n"


@pytest.mark.parametrize(("content", "line"), [(HEADER + "1,a,2\n\n1,a,2\n", 3), (HEADER + "\n1,a,2\n", 2)])
def test_a_blank_line_is_reported_with_its_line(path: Path, content: str, line: int) -> None:
    assert only_problem(look(path, CSV, content)) == (line, "a blank line")


def test_a_header_alone_without_a_line_end(path: Path) -> None:
    assert only_problem(look(path, CSV, HEADER.rstrip())) == (None, "the file has no records")


def test_a_bad_byte_near_the_beginning_is_reported_with_its_line(path: Path) -> None:
    line, reason = only_problem(look(path, CSV, HEADER.encode() + b"1,a,2\n1,caf\xe9,2\n1,a,2\n"))
    assert line == 3
    assert "not UTF-8" in reason


@pytest.mark.parametrize("row", ['1,a,"2\n', '"1,a,2\n', '1,"a,2\n'], ids=["last column", "first column", "middle"])
@pytest.mark.parametrize("after", [0, 1, 20, 10_000])
def test_a_quote_that_is_never_closed(path: Path, row: str, after: int) -> None:
    line, reason = only_problem(look(path, CSV, HEADER + ROW + row + ROW * after))
    assert line == 3
    assert "a quote is opened and never closed" in reason


@pytest.mark.parametrize(
    "row", ['1,5" disk,2\n', '1,"5" disk,2\n', '1,"5\\" disk",2\n'], ids=["bare", "text after", "backslash"]
)
def test_a_stray_quote(path: Path, row: str) -> None:
    line, _ = only_problem(look(path, CSV, HEADER + ROW * 3 + row + ROW * 3))
    assert line == 5


def test_a_second_byte_order_mark_is_part_of_the_first_column_s_name(path: Path) -> None:
    _, reason = only_problem(look(path, CSV, BOM + BOM + (HEADER + ROW).encode()))
    assert r"unexpected columns '\ufeffid'" in reason


def test_quotes_that_do_not_come_out_right_in_a_header(path: Path) -> None:
    _, reason = only_problem(look(path, CSV, '""' + HEADER + ROW))
    assert "quotes in the header do not come out right: " in reason


@pytest.mark.parametrize(
    "content",
    [HEADER + "1,a,2\n", '"id","text","price"\n1,a,2\n', HEADER + '1,"a\nb",2\n'],
    ids=["plain", "before a quote", "many lines"],
)
def test_a_byte_order_mark_before_a_csv_is_seen_and_needs_no_repair(path: Path, content: str) -> None:
    found = look(path, CSV, BOM + content.encode())
    assert found == replace(look(path, CSV, content), has_bom=True)
    assert (found.records, CSV.needs_repair(found)) == (1, False)


def test_json_byte_order_mark(path: Path) -> None:
    found = look(path, LINES, BOM + SOUND.encode())
    assert (found.is_sound, found.has_bom, LINES.needs_repair(found)) == (True, True, True)
    found = look(path, LINES, SOUND.encode() + BOM + SOUND.encode())
    assert (found.damaged, found.has_bom) == (1, False)
    assert "a byte order mark, which belongs at the beginning of the file" in found.problems[0].reason
