"""A CSV file is read however it is written, where its declaration says how; what is no record is counted and named."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from nequi_lake.formats import CsvFile, JsonLinesFile, Structure, UnpackLimits
from nequi_lake_tests.formats.reading import read

ROWS = [("1", "Añasco, PR", "2,5"), ("2", 'the "old" one', None), ("3", "two\nlines", "x"), ("4", "|;\t", "ñ")]


def csv_file(**how: Any) -> CsvFile:
    return CsvFile(name="shops.csv", description="Shops.", **{"columns": ("id", "town", "note"), **how})


def written(
    separator: str = ",", quote: str = '"', double: str = '""', end: str = "\n", header: str | None = "id,town,note"
) -> str:
    """The rows, each value in quotes."""
    lines = [] if header is None else [separator.join(header.split(","))]
    for row in ROWS:
        values = (f"{quote}{(value or '').replace(quote, double)}{quote}" for value in row)
        lines.append(separator.join(values))
    return end.join(lines) + end


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", ", ", "||", " ", "¦"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_any_separator_and_quote(separator: str, quote: str, tmp_path: Path) -> None:
    text = written(separator, quote, quote * 2)
    found = read(csv_file(separator=separator, quote=quote), text.encode(), tmp_path)
    assert list(found.rows.values()) == ROWS


def test_an_escape_before_a_quote(tmp_path: Path) -> None:
    text = written(double='\\"') + '"5","a\\\\","C:\\dir"\n6,"x\\"",\n'
    found = read(csv_file(escape="\\"), text.encode(), tmp_path)
    assert list(found.rows.values()) == [*ROWS, ("5", "a\\", "C:\\dir"), ("6", 'x"', None)]


def test_a_file_without_quotes(tmp_path: Path) -> None:
    text = 'id|town|note\n1|5" disk|"\n2|a,b|c\n'
    found = read(csv_file(separator="|", quote=None), text.encode(), tmp_path)
    assert list(found.rows.values()) == [("1", '5" disk', '"'), ("2", "a,b", "c")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1", "cp850"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_encoding(encoding: str, end: str, tmp_path: Path) -> None:
    text = written(end=end)
    found = read(csv_file(encoding=encoding), text.encode(encoding), tmp_path)
    assert [row[1].replace(end, "\n") for row in found.rows.values()] == [row[1] for row in ROWS]


def test_a_character_that_the_encoding_does_not_have_costs_its_record(tmp_path: Path) -> None:
    text = "id,town,note\n1,Cádiz,a\n2,".encode("cp1252") + b"\x81,b\n3,c,d\n"
    found = read(csv_file(encoding="cp1252"), text, tmp_path)
    assert list(found.rows) == [0, 2]
    assert found.damaged == [(1, 3, "a character that cp1252 does not have, beginning '2,'")]


def test_half_a_character_of_utf_16_costs_its_record(tmp_path: Path) -> None:
    text = "id,town,note\n1,a,a\n2,".encode("utf-16-le") + b"\x00\xd8" + ",b\n3,c,d\n".encode("utf-16-le")
    found = read(csv_file(encoding="utf-16-le"), text, tmp_path)
    assert list(found.rows) == [0, 2]


def test_lines_that_end_in_a_carriage_return(tmp_path: Path) -> None:
    text = "id,town,note\r1,a,\r2,b,c\r"
    found = read(csv_file(), text.encode(), tmp_path)
    assert list(found.rows.values()) == [("1", "a", None), ("2", "b", "c")]


def test_line_ends_inside_of_values_stay_what_they_are_in_a_file_of_carriage_returns(tmp_path: Path) -> None:
    beginning = "id,town,note\r" + "0,x,y\r" * 180_000
    found = read(csv_file(), (beginning + '1,"a\rb","c\nd"\r2,"e\rf",g,\r').encode(), tmp_path)
    assert found.rows[180_000] == ("1", "a\rb", "c\nd")
    assert found.damaged[0][0] == 180_001


def test_a_file_of_one_record_without_an_end_keeps_the_line_ends_of_its_values(tmp_path: Path) -> None:
    found = read(csv_file(header_lines=0), b'1,"a\rb",c', tmp_path)
    assert found.rows == {0: ("1", "a\rb", "c")}


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("shops.csv", content)
    return stream.getvalue()


def zstd(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two members": lambda content: gzip.compress(content[:40]) + gzip.compress(content[40:]),
    "bz2": bz2.compress,
    "zstd": zstd,
    "zip": zipped,
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_any_compression(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    found = read(csv_file(encoding="cp1252"), pack(written().encode("cp1252")), tmp_path)
    assert list(found.rows.values()) == ROWS
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".decoded")]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd, zipped])
@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_a_cut_compressed_file_is_refused(pack: Callable[[bytes], bytes], cut: float, tmp_path: Path) -> None:
    packed = pack("".join(["id,town,note\n", *(f"{n},{n * 7919},{n * 104729}\n" for n in range(180_000))]).encode())
    structure = read(csv_file(), packed[: int(len(packed) * cut)], tmp_path).structure
    assert "cannot be unpacked to its end" in structure.problems[0].reason


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    path.write_bytes(gzip.compress(b"id,town,note\n" + b"1,a,b\n" * 200_000))
    limits = UnpackLimits(max_bytes=10**9, max_ratio=100, max_members=1)
    (problem,) = csv_file().inspect(path, limits).problems
    assert "more than 100 times its size" in problem.reason
    assert "NEQUI_LAKE_ZIP_MAX_RATIO" in problem.reason


def test_what_is_no_record_is_counted_and_named(tmp_path: Path) -> None:
    text = 'Report of "shops\n\nid,town,note\n1,a,b\nid,town,note\n2,"c\nd",e\n\nTotal,2\nprinted by\n \n\n'
    found = read(csv_file(skip_lines=2, footer_lines=2), text.encode(), tmp_path)
    assert found.structure.passed_over == {
        "lines above the header": 2,
        "repeated headers": 1,
        "lines below the records": 2,
        "blank lines at the end": 3,
    }
    assert list(found.rows.values()) == [("1", "a", "b"), ("2", "c\nd", "e")]
    assert found.damaged == []


def test_a_second_table_with_the_same_columns_is_refused(tmp_path: Path) -> None:
    text = b'"id","town","note"\n1,a,b\nid,town,note\n2,c,d\n'
    (problem,) = read(csv_file(), text, tmp_path).structure.problems
    assert (problem.line, "another table begins here" in problem.reason) == (3, True)


@pytest.mark.parametrize("end", ["\n", "\n\n", "\n\r\n\n", "\n   ", "", "\n\n" * 40_000])
def test_blank_lines_at_the_end_are_nothing(end: str, tmp_path: Path) -> None:
    found = read(csv_file(), f"id,town,note\n1,a,b\n2,c,d{end}".encode(), tmp_path)
    assert list(found.rows) == [0, 1]
    found = read(JSON, f'{{"id": 1, "town": "a"}}\n{{"id": 2, "town": "b"}}{end}'.encode(), tmp_path)
    assert list(found.rows) == [0, 1]


def test_a_file_without_a_header(tmp_path: Path) -> None:
    found = read(csv_file(header_lines=0), b"1,a,b\n2,c,d\n", tmp_path)
    assert list(found.rows.values()) == [("1", "a", "b"), ("2", "c", "d")]


def test_a_header_of_several_lines(tmp_path: Path) -> None:
    text = b"shop,shop,\nid,town,note\n1,a,b\n"
    found = read(csv_file(columns=("shop id", "shop town", "note"), header_lines=2), text, tmp_path)
    assert list(found.rows.values()) == [("1", "a", "b")]


def test_a_separator_at_the_end_of_each_line(tmp_path: Path) -> None:
    found = read(csv_file(ends_in_separator=True), b'id,town,note,\n1,a,b,\n2,"c,",,\n3,d,e\n', tmp_path)
    assert list(found.rows.values()) == [("1", "a", "b"), ("2", "c,", None)]
    assert found.damaged == [(2, 4, "no separator at its end, beginning '3,d,e'")]


def test_values_that_mean_none(tmp_path: Path) -> None:
    found = read(csv_file(null_tokens=("", "NA", "-")), b"id,town,note\n1,NA,-\n2, ,-1\n", tmp_path)
    assert list(found.rows.values()) == [("1", None, None), ("2", " ", "-1")]


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    file = csv_file(optional=("note",), renamed={"town": "city"}, extra="ignore")
    found = read(file, b"more,city,id\nx,a,1\n", tmp_path)
    assert list(found.rows.values()) == [("1", "a", None)]
    assert found.structure.notes == ("the column more, such as x, is not declared and is ignored",)
    assert list(read(file, b"note,town,id\nb,a,1\n", tmp_path).rows.values()) == [("1", "a", "b")]


JSON = JsonLinesFile(name="shops.json", description="Shops.", schema={"id": pl.Int64, "town": pl.String})


@pytest.mark.parametrize(
    "text",
    [
        '[{"id": 1, "town": "a, {[\\"b"},\n{"id": 2, "town": "c"}]',
        '\ufeff [\n  {\n    "id": 1,\n    "town": "a, {[\\"b"\n  },\n  {"id": 2,\n "town": "c"}\n]\n\n',
        '{"id": 1, "town": "a, {[\\"b"}{"id": 2, "town": "c"}',
        '{\n"id": 1,\n "town": "a, {[\\"b"\n}\n{\n"id": 2, "town": "c"}\n',
        '[{"id": 1, "town": "a, {[\\"b"}]\n[{"id": 2, "town": "c"}]',
    ],
    ids=["array", "pretty array", "no delimiter", "pretty", "two arrays"],
)
@pytest.mark.parametrize("block", [1, 7, 2**20])
def test_json_objects_however_they_stand(
    text: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nequi_lake.formats.json_documents._BLOCK_BYTES", block)
    found = read(JSON, text.encode(), tmp_path)
    assert list(found.rows.values()) == [(1, 'a, {["b'), (2, "c")]


def test_an_element_that_is_no_record_is_named_with_its_line(tmp_path: Path) -> None:
    text = '[\n{"id": 1, "town": "a"},\n\n7, "x",\n{"id": "b",\n"town": "a"},\n{"id": 2, "town": "b"}]'
    found = read(JSON, text.encode(), tmp_path)
    assert list(found.rows.values()) == [(1, "a"), (2, "b")]
    assert [(number, line) for number, line, _ in found.damaged] == [(1, 4), (2, 5)]


def test_where_an_object_of_an_array_is_is_said_by_its_line_alone() -> None:
    content = io.BytesIO(b'[\n{"id": 1, "town": "a"},\n\n{"id": 2}]')
    find = JSON.find_records(content, Structure(layout="array"))
    (found,) = find(pl.Series([1])).to_dicts()
    assert found == {"line": 4, "offset_bytes": None, "size_bytes": None, "original": '{"id": 2}'}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[\n{"id": 1, "town": "a"},\n{"id": 2, "to', 3, "an object begins here and does not end"),
        ('[\n{"id": 1, "town": "a"},\n', 2, "the array does not end"),
        ('{\n"id": 1, "town": "a"}\n{"id": 2}}', 3, "a bracket closes that was never opened"),
        ("[]", None, "no records"),
    ],
)
def test_a_cut_array_is_refused(text: str, line: int | None, words: str, tmp_path: Path) -> None:
    structure = JSON.merge_structures({"": read(JSON, text.encode(), tmp_path).structure})
    (problem,) = structure.problems
    assert (problem.line, words in problem.reason) == (line, True), problem


def test_a_damaged_first_line_makes_no_other_layout(tmp_path: Path) -> None:
    text = '{"id": 1, "town": "a\n{"id": 2, "town": "b"}\n{"id": 3, "town": "c"}\n'
    found = read(JSON, text.encode(), tmp_path)
    assert list(found.rows.values()) == [(2, "b"), (3, "c")]


WRONG = {
    "semicolon": (b"id;town;note\n1;a;b\n", "declare separator=';'"),
    "tab": (b"id\ttown\tnote\n1\ta\tb\n", "declare separator='\\t'"),
    "preamble": (b"Report\n\nid,town,note\n1,a,b\n", "line 3: declare skip_lines=2"),
    "both": (b"Report\nid;town;note\n1;a;b\n", "declare skip_lines=1; the separator seems to be ';'"),
    "no header": (b"1,a,b\n2,c,d\n", "declare header_lines=0"),
    "utf-16": ("id,town,note\n1,a,b\n".encode("utf-16"), 'declare encoding="utf-16"'),
    "utf-16 without a mark": ("id,town,note\n1,a,b\n".encode("utf-16-le"), 'declare encoding="utf-16-le"'),
    "utf-32": ("id,town,note\n1,a,b\n".encode("utf-32"), 'declare encoding="utf-32"'),
    "json": (b'[{"id": 1}]', "The file seems to be JSON"),
    "parquet": (b"PAR1....", "declare it as ParquetFile"),
    "workbook": (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "declare it as WorkbookFile"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
    "pdf": (b"%PDF-1.7", "PDF"),
    "seven zip": (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    "zip of two": (
        b"",
        "it holds 2 files, and one is expected",
    ),
}


@pytest.mark.parametrize(("content", "words"), WRONG.values(), ids=WRONG)
def test_what_is_declared_wrongly_says_what_to_declare(content: bytes, words: str, tmp_path: Path) -> None:
    if not content:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("a.csv", b"x")
            archive.writestr("b.csv", b"x")
        content = stream.getvalue()
    (problem,) = read(csv_file(), content, tmp_path).structure.problems
    assert words in problem.reason
