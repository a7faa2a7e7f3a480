"""The lines of a file, in bounded memory: of one that is longer than a record may be, the beginning and its length."""

from __future__ import annotations

import codecs
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_HELD_BYTES = 2**16
"""What is held of a line that is too long."""


class Line(NamedTuple):
    """A line of a file, or the lines of a record that spans several.

    Attributes:
        number: of the first of them, from 1.
        text: its bytes, with the line end; the first of them and the line end where it is longer than a record may be.
        dropped: bytes of it that are not in ``text``.
    """

    number: int
    text: bytes
    dropped: int = 0


def long_lines(content: BinaryIO, longest: int) -> Iterator[Line]:
    """The lines of a file. A byte order mark at its beginning belongs to none of them.

    Args:
        content: the file.
        longest: bytes of a line that is held whole.
    """
    number = 0
    while text := content.readline(longest + 1):
        number += 1
        if number == 1 and text.startswith(codecs.BOM_UTF8):
            text = text.removeprefix(codecs.BOM_UTF8)
            text += b"" if text.endswith(b"\n") else content.readline(len(codecs.BOM_UTF8))
        if len(text) <= longest:
            yield Line(number, text)
            continue
        length, tail = len(text), text[-2:]
        while not tail.endswith(b"\n") and (more := content.readline(longest)):
            length += len(more)
            tail = (tail + more)[-2:]
        end = tail[len(tail.rstrip(b"\r\n")) :] if tail.endswith(b"\n") else b""
        held = text[: min(_HELD_BYTES, longest) - len(end)] + end
        yield Line(number, held, length - len(held))


def has_longer_line(path: Path, longest: int) -> bool:
    """Whether a line of a local file has more bytes; looks at the ends of lines that are about as long only."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        if size <= longest:
            return False
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = len(codecs.BOM_UTF8) if content[: len(codecs.BOM_UTF8)] == codecs.BOM_UTF8 else 0
            while size - start > longest:
                end = content.rfind(b"\n", start, start + longest)
                if end < 0:
                    return True
                start = end + 1
    return False


def blank_lines_at_end(path: Path) -> int:
    """How many lines at the end of a local file are nothing but white space."""
    end = b""
    with path.open("rb") as stream:
        at = path.stat().st_size
        while at and not end.strip():
            start = max(0, at - _HELD_BYTES)
            stream.seek(start)
            end, at = stream.read(at - start) + end, start
    blank = end[len(end.rstrip()) :].partition(b"\n")[2] if end.strip() else end
    return blank.count(b"\n") + bool(blank and not blank.endswith(b"\n"))


def too_long(line_bytes: int, longest: int) -> str:
    """What is wrong with a record of so many bytes, where it may have so many."""
    return f"a record of {line_bytes:,} bytes, where one may have {longest:,}"
