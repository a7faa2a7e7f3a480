"""What a file is by its first bytes, whatever it is called."""

from __future__ import annotations

import codecs

from nequi_lake.formats.codecs import codec_of

_KINDS = {
    b"PAR1": "a Parquet file: declare it as ParquetFile",
    b"%PDF": "a PDF document, which the lake keeps as OpaqueFile and does not read",
    b"SQLite format 3\0": "a SQLite database; export its tables as CSV or Parquet",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a workbook of old Excel (.xls), or one with a password; save it as .xlsx",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it, or pack it as zip",
    b"Rar!\x1a\x07": "a RAR archive; unpack it, or pack it as zip",
    b"\xfd7zXZ\0": "compressed by xz; compress it by gzip, zstd or bz2",
}
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; those of UTF-32 first, as one of them begins like one of UTF-16."""
_IN_WORKBOOKS = (b"xl/", b"[Content_Types].xml", b"_rels/.rels", b"docProps/")


def no_content(beginning: bytes) -> str | None:
    """Why a file that begins with these bytes is not what a publisher means to give; None where it may be."""
    if beginning in (b"", codecs.BOM_UTF8):
        return "the file is empty"
    head = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "the file is a Git LFS pointer, not the content that it points to"
    if head[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "the file is a web page, perhaps an error page of the download"
    return None


def no_text(beginning: bytes, encoding: str) -> str | None:
    """Why a file that begins with these bytes is no text of this encoding; None where it may be."""
    kind = _kind(beginning)
    if kind:
        return f"the file is {kind}"
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        return None
    found = wide_encoding(beginning)
    if found is None:
        return None
    if found.endswith("e"):
        return f'the file seems to be in UTF-16 without a byte order mark: declare encoding="{found}"'
    return f'the file is in {found.upper()}: declare encoding="{found}"'


def seems_to_be(beginning: bytes) -> str:
    """What a file that is not of the declared format seems to be by these first bytes, and what to do about it."""
    kind, codec = _kind(beginning), codec_of(beginning)
    head = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    if kind:
        return f"it is {kind}"
    if codec == "zip":
        return "it is a zip: call it .zip, so that the file in it is read, or take that out"
    if codec:
        return f"it is compressed by {codec}: unpack it, as files of this format are compressed within"
    if head.startswith((b"{", b"[")):
        return "it seems to be JSON: declare it as JsonLinesFile"
    if head and (wide_encoding(beginning) or b"\0" not in beginning):
        return "it seems to be text, perhaps CSV under another name: declare it as CsvFile"
    return "what it is, is unknown: get it again from its publisher"


def _kind(beginning: bytes) -> str | None:
    found = next((kind for magic, kind in _KINDS.items() if beginning.startswith(magic)), None)
    return "a workbook of Excel: declare it as WorkbookFile" if is_workbook(beginning) else found


def is_parquet(beginning: bytes) -> bool:
    """Whether a file that begins with these bytes is one of Parquet."""
    return beginning.startswith(b"PAR1")


def is_workbook(beginning: bytes) -> bool:
    """Whether a file that begins with these bytes is a workbook of Excel (XLSX)."""
    return beginning.startswith(b"PK\x03\x04") and any(name in beginning[:200] for name in _IN_WORKBOOKS)


def wide_encoding(beginning: bytes) -> str | None:
    """The encoding of a text that begins with these bytes, where a character has two of them or four; else None."""
    for mark, name in _MARKS.items():
        if beginning.startswith(mark):
            return name
    if len(beginning) > 3 and set(beginning[1:40:2]) == {0} != set(beginning[:40:2]):
        return "utf-16-le"
    if len(beginning) > 3 and set(beginning[:40:2]) == {0} != set(beginning[1:40:2]):
        return "utf-16-be"
    return None
