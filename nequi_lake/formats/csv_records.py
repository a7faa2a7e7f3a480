"""Splits a CSV file into records, damaged ones too, each with the line on which it begins.

Parsers read a file as a whole or not at all, and differ in what they tolerate; this yields every record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from nequi_lake.formats.lines import Line, long_lines

_ENDS = (b"", b"\n", b"\r\n", b"\r")


class Record(NamedTuple):
    """One record as it stands in the file.

    Attributes:
        line: the line, from 1, on which it begins.
        text: its bytes, with the line end.
        plain: the same without its quoted fields; all of it where a quote does not come out right.
        dropped: bytes of it that are not held, as it is longer than a record may be.
    """

    line: int
    text: bytes
    plain: bytes
    dropped: int = 0

    @property
    def fields(self) -> int:
        """How many fields it has."""
        return self.plain.count(b",") + 1

    @property
    def quotes_are_sound(self) -> bool:
        """Whether every quote in it opens, closes or is doubled within a quoted field."""
        return b'"' not in self.plain


def csv_records(content: BinaryIO, longest: int) -> Iterator[Record]:
    """The records of a CSV file in order, the header among them; of one of more than ``longest`` bytes its beginning.

    A record whose quotes do not come out right ends with its first line, and the next line begins another.
    """
    held: deque[Line] = deque()
    lines = long_lines(content, longest)
    while True:
        line = held.popleft() if held else next(lines, None)
        if line is None:
            return
        number, text, dropped = line
        if dropped or b'"' not in text:
            yield Record(number, text, text, dropped)
            continue
        odd, size, used = text.count(b'"') % 2, len(text), [text]
        if odd and size < longest:
            # Lines are added while a field in quotes may still go on.
            for _, following, cut in chain(held, _holding(lines, held)):
                if cut:
                    break
                used.append(following)
                size += len(following)
                odd = (odd + following.count(b'"')) % 2
                if not odd or size >= longest or not _stays_open(following):
                    break
        record = text if len(used) == 1 else b"".join(used)
        plain = None if odd else _without_quoted(record)
        if plain is None:
            yield Record(number, text, text)
        else:
            for _ in used[1:]:
                held.popleft()
            yield Record(number, record, plain)


def _holding(lines: Iterator[Line], held: deque[Line]) -> Iterator[Line]:
    for line in lines:
        held.append(line)
        yield line


def _without_quoted(text: bytes) -> bytes | None:
    """Return a text with as many opening as closing quotes without its quoted fields; None where quotes do not match.

    What stands between quotes is in turn outside and inside of a field.
    """
    first, *parts = text.split(b'"')
    between, last = parts[1:-1:2], parts[-1]
    if (first and not first.endswith(b",")) or not (last in _ENDS or last.startswith(b",")):
        return None
    return b"".join((first, *between, last)) if all(map(_parts_fields, between)) else None


def _stays_open(line: bytes) -> bool:
    """Whether a field that was open before a line may be open after it; each that closes on it must do so rightly."""
    return b'"' not in line or all(map(_parts_fields, line.split(b'"')[1::2]))


def _parts_fields(between: bytes) -> bool:
    """Whether this may stand between two quotes, outside of a field; nothing between them is a doubled quote in one."""
    return not between or (between.startswith(b",") and between.endswith(b","))
