"""The lines of a file, in bounded memory: of one that is longer than a record may be, the beginning and its length."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_RECORD_BYTES = 2**24
"""A record that is longer has a quote that was never closed, or no line ends; it is put aside as one record."""
_HELD_BYTES = 2**16
"""What is held of it."""


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


def long_lines(content: BinaryIO) -> Iterator[Line]:
    """The lines of a file, however long they are. A byte order mark at its beginning belongs to none of them."""
    number = 0
    while text := content.readline(MAX_RECORD_BYTES + 1):
        number += 1
        if number == 1 and text.startswith(codecs.BOM_UTF8):
            text = text.removeprefix(codecs.BOM_UTF8)
            text += b"" if text.endswith(b"\n") else content.readline(len(codecs.BOM_UTF8))
        if len(text) <= MAX_RECORD_BYTES:
            yield Line(number, text)
            continue
        length, tail = len(text), text[-2:]
        while not tail.endswith(b"\n") and (more := content.readline(MAX_RECORD_BYTES)):
            length += len(more)
            tail = (tail + more)[-2:]
        end = tail[len(tail.rstrip(b"\r\n")) :] if tail.endswith(b"\n") else b""
        held = text[: min(_HELD_BYTES, MAX_RECORD_BYTES) - len(end)] + end
        yield Line(number, held, length - len(held))


def too_long(line_bytes: int) -> str:
    """What is wrong with a record of so many bytes."""
    return f"a record of {line_bytes:,} bytes, where one may have {MAX_RECORD_BYTES:,}"
