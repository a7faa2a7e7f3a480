"""What a file is and how it is written, from its bytes; the whole file has to bear it out."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from nequi_lake.drafting.csv_layout import csv_file
from nequi_lake.drafting.json_shape import json_file
from nequi_lake.drafting.parquet_schema import parquet_file
from nequi_lake.drafting.sheets import workbook_file
from nequi_lake.drafting.sniffed import LOOKED_AT_BYTES, Sniffed, cannot_draft
from nequi_lake.formats.codecs import PackedError, codec_of, opened_text
from nequi_lake.formats.magic import is_parquet, is_workbook, no_content, no_text, wide_encoding
from nequi_lake.progress import bar

_BLOCK_BYTES = 2**20
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_AROUND = re.compile(rb"[^\s,;|\t]{0,20}[\x80-\xff][^\s,;|\t]{0,20}")


def sniff(path: Path) -> Sniffed:
    """Say how a file is written. Writes beside it while it looks.

    Raises:
        UsageError: it is of no format that can be drafted, or how it is written is not sure enough.
    """
    with path.open("rb") as stream:
        beginning = stream.read(_BLOCK_BYTES)
    if is_parquet(beginning):
        return parquet_file(path)
    if is_workbook(beginning):
        return workbook_file(path)
    problem = no_content(beginning) or no_text(beginning, "utf-16")
    if problem:
        raise cannot_draft(problem, path)
    codec = codec_of(beginning)
    try:
        encoding, note = _encoding(path, codec)
        with path.open("rb") as stream, opened_text(stream, codec=codec, encoding=encoding) as plain:
            text = plain.read(LOOKED_AT_BYTES)
    except PackedError as error:
        raise cannot_draft(str(error), path) from error
    problem = no_content(text) or no_text(text, "utf-16")
    if problem:
        raise cannot_draft(problem, path)
    if b"\r" in text and b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    is_json = text.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"[", b"{")
    found = json_file(path, encoding) if is_json else csv_file(path, text, encoding)
    return Sniffed(found.file, (*note, *found.notes))


def _encoding(path: Path, codec: str) -> tuple[str, tuple[str, ...]]:
    """The encoding of a text, and what is not sure about it.

    Bytes that are not UTF-8 are of Windows, or where that has them not, of Latin-1.
    """
    with (
        path.open("rb") as stream,
        opened_text(stream, codec=codec) as plain,
        bar(f"encoding of {path.name}", None if codec else path.stat().st_size, "B") as progress,
    ):
        block = plain.read(_BLOCK_BYTES)
        wide = wide_encoding(block)
        if wide:
            return wide, ()
        decoder = codecs.getincrementaldecoder("utf-8")()
        bad, example = 0, b""
        is_utf8 = True
        while True:
            progress.update(len(block))
            try:
                if is_utf8:
                    decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                is_utf8 = False
            if not is_utf8:
                found = _AROUND.search(block)
                example = example or (found[0] if found else b"")
                bad += len(block) - len(block.translate(None, _NOT_IN_CP1252))
            if not block:
                break
            block = plain.read(_BLOCK_BYTES)
    if is_utf8:
        return "utf-8", ()
    encoding = "latin-1" if bad else "cp1252"
    shown = example.decode(encoding, errors="replace")
    return encoding, (f"the text is not UTF-8, and {encoding} is a guess: see whether {shown!r} is right",)
