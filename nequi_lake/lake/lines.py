"""Telling the records of a CSV file apart, each with the line on which it begins, whatever is wrong with them.

Parsers read a file as a whole or not at all, and differ in what they forgive; this says what is there.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

MAX_RECORD_BYTES = 2**24
"""A record that is longer has a quote that was never closed, or no line ends."""

_QUOTED = re.compile(rb'(?:^|(?<=,))"(?:[^"]+|"")*+"(?=,|\r?\n?\Z)')
"""A field in quotes, whole, with doubled quotes in it."""


@dataclass(frozen=True)
class Record:
    """One record as it stands in the file.

    Attributes:
        line: the line, from 1, on which it begins.
        text: its bytes, with the line end.
        plain: the same without its quoted fields; a quote is left in it where one does not come out right.
    """

    line: int
    text: bytes
    plain: bytes

    @property
    def fields(self) -> int:
        """How many fields it has."""
        return self.plain.count(b",") + 1

    @property
    def quotes_are_sound(self) -> bool:
        """Whether every quote in it opens, closes or is doubled within a quoted field."""
        return b'"' not in self.plain


def csv_records(content: BinaryIO) -> Iterator[Record]:
    """The records of a CSV file in order, the header among them.

    A record whose quotes do not come out right ends with its first line, and the next line begins another.
    """
    held: deque[tuple[int, bytes]] = deque()
    lines = _lines(content)
    while True:
        number, text = held.popleft() if held else next(lines, (0, b""))
        if not text:
            return
        quotes, size, used = text.count(b'"'), len(text), [text]
        if quotes % 2 and size < MAX_RECORD_BYTES:
            # Lines are added while a field in quotes may still go on.
            for _, following in chain(held, _holding(lines, held)):
                used.append(following)
                quotes += following.count(b'"')
                size += len(following)
                if not quotes % 2 or size >= MAX_RECORD_BYTES:
                    break
        record = b"".join(used)
        plain = _without_quoted(record)
        if b'"' in plain:
            yield Record(number, text, _without_quoted(text) if len(used) > 1 else plain)
        else:
            for _ in used[1:]:
                held.popleft()
            yield Record(number, record, plain)


def _holding(lines: Iterator[tuple[int, bytes]], held: deque[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    for line in lines:
        held.append(line)
        yield line


def _without_quoted(text: bytes) -> bytes:
    """The text without its quoted fields."""
    return _QUOTED.sub(b"", text) if b'"' in text else text


def _lines(content: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while text := content.readline(MAX_RECORD_BYTES):
        number += 1
        yield number, text.removeprefix(codecs.BOM_UTF8) if number == 1 else text


def lines_of_records(content: BinaryIO, records: Collection[int]) -> dict[int, int]:
    """Record number, from 0 without the header → the line, from 1, on which it begins.

    Args:
        content: the file's bytes; read up to the last record wanted.
        records: the numbers wanted. One that the file does not have is left out.
    """
    wanted = set(records)
    found: dict[int, int] = {}
    for number, record in enumerate(csv_records(content), -1):
        if number in wanted:
            found[number] = record.line
            if len(found) == len(wanted):
                break
    return found
