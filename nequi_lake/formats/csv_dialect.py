"""How a CSV file is written, and its records, damaged ones too, each with the line on which it begins.

Parsers read a file as a whole or not at all, and differ in what they tolerate; this yields every record.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from nequi_lake.formats.lines import Line

_ENDS = (b"", b"\n", b"\r\n", b"\r")


class Record(NamedTuple):
    """One record as it stands in the file.

    Attributes:
        line: the line, from 1, on which it begins.
        text: its bytes, with the line end.
        plain: the same without its quoted fields; all of it where a quote does not come out right.
        fields: how many fields it has.
        is_sound: whether every quote in it opens, closes or is doubled within a quoted field.
        dropped: bytes of it that are not held, as it is longer than a record may be.
    """

    line: int
    text: bytes
    plain: bytes
    fields: int
    is_sound: bool
    dropped: int = 0


@dataclass(frozen=True)
class Dialect:
    """How fields are parted and quoted.

    Attributes:
        separator: between two fields, of one character or more.
        quote: around a field in which separators, line ends and, doubled, quotes are text; None where nothing is.
        escape: before a quote, or itself, that is text; None where nothing is escaped.
    """

    separator: str
    quote: str | None
    escape: str | None = None

    @property
    def is_of_engine(self) -> bool:
        """Whether the engine reads it."""
        signs = (self.separator, self.quote or '"')
        return self.escape is None and all(len(sign.encode()) == 1 for sign in signs)

    def records(self, lines: Iterator[Line], longest: int) -> Iterator[Record]:
        """The records on these lines, in order.

        A record whose quotes do not come out right ends with its first line, and the next line begins another.

        Args:
            lines: the lines.
            longest: how many bytes a record may have; of one that has more there is the beginning.
        """
        held: deque[Line] = deque()
        while True:
            line = held.popleft() if held else next(lines, None)
            if line is None:
                return
            number, text, dropped = line
            masked = self._masked(text)
            if dropped or self._quote not in masked:
                yield self._record(number, text, masked, dropped=dropped)
                continue
            odd, size, used, of_quotes = masked.count(self._quote) % 2, len(text), [text], [masked]
            if odd and size < longest:
                # Lines are added while a field in quotes may still go on.
                for _, following, cut in chain(held, _holding(lines, held)):
                    if cut:
                        break
                    used.append(following)
                    of_quotes.append(self._masked(following))
                    size += len(following)
                    odd = (odd + of_quotes[-1].count(self._quote)) % 2
                    if not odd or size >= longest or not self._stays_open(of_quotes[-1]):
                        break
            plain = None if odd else self._without_quoted(b"".join(of_quotes))
            if plain is None:
                yield self._record(number, text, masked, is_sound=False)
            else:
                for _ in used[1:]:
                    held.popleft()
                yield self._record(number, b"".join(used), plain)

    def values(self, text: str) -> list[str]:
        """The fields of a sound record without its line end."""
        if not self.quote or (self.quote not in text and not (self.escape and self.escape in text)):
            return text.split(self.separator)
        found, at = [], 0
        while True:
            quoted = self._quoted.match(text, at)
            if quoted:
                end, value = quoted.end(), quoted[1].replace(self.quote * 2, self.quote)
            else:
                end = text.find(self.separator, at)
                end = len(text) if end < 0 else end
                value = text[at:end]
            found.append(self._escaped.sub(r"\1", value) if self.escape else value)
            if end >= len(text):
                return found
            at = end + len(self.separator)

    def line(self, values: Sequence[str]) -> str:
        """A record of these fields, in quotes where they need them."""
        assert self.quote
        special = (self.separator, self.quote, "\n", "\r")
        return self.separator.join(
            f"{self.quote}{value.replace(self.quote, self.quote * 2)}{self.quote}"
            if any(sign in value for sign in special)
            else value
            for value in values
        )

    def pattern(self, fields: int) -> str:
        """A regular expression of Rust for a line that is a sound record of so many fields."""
        separator = re.escape(self.separator)
        plain = rf"[^{separator}\r\x00]"
        quoted = ""
        if self.quote:
            quote = re.escape(self.quote)
            plain, quoted = rf"[^{quote}{separator}\r\x00]", rf"|{quote}(?:[^{quote}\x00]|{quote}{quote})*{quote}"
        # A blank line is no record of one column.
        field = f"(?:{plain}{'+' if fields == 1 else '*'}{quoted})"
        return rf"\A{field}(?:{separator}{field}){{{fields - 1}}}\z"

    @cached_property
    def _separator(self) -> bytes:
        return self.separator.encode()

    @cached_property
    def _quote(self) -> bytes:
        # No text has it.
        return self.quote.encode() if self.quote else b"\xff\xfe\xff"

    @cached_property
    def _quoted(self) -> re.Pattern[str]:
        """A quoted field, and what follows it."""
        assert self.quote
        quote, separator = re.escape(self.quote), re.escape(self.separator)
        escaped = rf"|{re.escape(self.escape)}." if self.escape else ""
        plain = rf"[^{quote}{re.escape(self.escape or '')}]"
        return re.compile(rf"{quote}((?:{plain}|{quote}{quote}{escaped})*){quote}(?={separator}|\Z)", re.DOTALL)

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        escape = re.escape(self.escape or "")
        return re.compile(rf"{escape}({escape}|{re.escape(self.quote or self.escape or '')})")

    @cached_property
    def _mask(self) -> re.Pattern[bytes]:
        return re.compile(self._escaped.pattern.encode())

    def _masked(self, text: bytes) -> bytes:
        """A text in which what is escaped is neither a quote nor an escape."""
        if self.escape is None or self.escape.encode() not in text:
            return text
        return self._mask.sub(lambda found: b"x" * len(found[0]), text)

    def _record(self, line: int, text: bytes, plain: bytes, *, is_sound: bool = True, dropped: int = 0) -> Record:
        return Record(line, text, plain, plain.count(self._separator) + 1, is_sound, dropped)

    def _without_quoted(self, text: bytes) -> bytes | None:
        """Return a text with as many opening as closing quotes without its quoted fields; None where they do not match.

        What stands between quotes is in turn outside and inside of a field.
        """
        first, *parts = text.split(self._quote)
        between, last = parts[1:-1:2], parts[-1]
        if (first and not first.endswith(self._separator)) or not (last in _ENDS or last.startswith(self._separator)):
            return None
        return b"".join((first, *between, last)) if all(map(self._parts_fields, between)) else None

    def _stays_open(self, line: bytes) -> bool:
        """Whether a field that was open before a line may be open after it; what closes on it must do so rightly."""
        return self._quote not in line or all(map(self._parts_fields, line.split(self._quote)[1::2]))

    def _parts_fields(self, between: bytes) -> bool:
        """Whether this may stand between two quotes, outside of a field; nothing there is a doubled quote in one."""
        return not between or (between.startswith(self._separator) and between.endswith(self._separator))


def _holding(lines: Iterator[Line], held: deque[Line]) -> Iterator[Line]:
    for line in lines:
        held.append(line)
        yield line
