"""What a file is by its first bytes, whatever it is called."""

from __future__ import annotations

import codecs

_KINDS = {
    b"PAR1": "a Parquet file: declare it as ParquetFile",
    b"%PDF": "a PDF document, which the lake keeps as OpaqueFile and does not read",
    b"SQLite format 3\0": "a SQLite database; export its tables as CSV or Parquet",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a workbook of old Excel (.xls), or one with a password; save it as .xlsx",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it, or pack it as zip",
    b"Rar!\x1a\x07": "a RAR archive; unpack it, or pack it as zip",
    b"\xfd7zXZ\0": "compressed by xz; compress it by gzip, zstd or bz2",
}
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
    for magic, kind in _KINDS.items():
        if beginning.startswith(magic):
            return f"the file is {kind}"
    if beginning.startswith(b"PK\x03\x04") and any(name in beginning[:200] for name in _IN_WORKBOOKS):
        return "the file is a workbook of Excel: declare it as WorkbookFile"
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        return None
    if beginning.startswith(_UTF_32):
        return 'the file is in UTF-32: declare encoding="utf-32"'
    if beginning.startswith(_UTF_16):
        return 'the file is in UTF-16: declare encoding="utf-16"'
    if len(beginning) > 3 and set(beginning[1:40:2]) == {0} != set(beginning[:40:2]):
        return 'the file seems to be in UTF-16 without a byte order mark: declare encoding="utf-16-le"'
    return None
