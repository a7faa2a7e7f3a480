"""JSON objects that stand in an array, or one after the other over any lines, taken one by one from a stream."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from nequi_lake.formats.lines import Line
from nequi_lake.formats.text import RefusedError

ARRAY = "array"
DOCUMENTS = "documents"
_BLOCK_BYTES = 2**20
_HELD_BYTES = 2**16
_SIGN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{}]', re.DOTALL)
"""A text in quotes, a quote whose text does not end in what is held, or a bracket."""
_END_OF_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_BETWEEN = b" \t\r\n,"


def layout_of(beginning: bytes) -> str:
    """How the objects of a file that begins so stand in it: ``array``, ``documents``, or nothing for one on a line."""
    text = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        return ARRAY
    depth = 0
    for sign in _SIGN.finditer(text):
        if b"\n" in sign[0]:
            # A line that is cut within a text.
            return ""
        depth += (sign[0] in _OPENING) - (sign[0] in _CLOSING)
        if not depth:
            return "" if sign.end() == len(text.partition(b"\n")[0].rstrip()) else DOCUMENTS
    return ""


def documents(content: BinaryIO, longest: int, layout: str) -> Iterator[Line]:
    """The objects of an array, or of objects that stand one after the other, each with the line on which it begins.

    Whatever else stands between two of them is one as well, which no schema fits.

    Args:
        content: the text, in UTF-8.
        longest: how many bytes one may have; of one that has more there is the beginning.
        layout: as of :func:`layout_of`.

    Raises:
        RefusedError: one does not end, or the array does not.
    """
    splitter = _Splitter(longest, 1 if layout == ARRAY else 0)
    while block := content.read(_BLOCK_BYTES):
        yield from splitter.take(block)
    yield from splitter.end()


class _Splitter:
    """Finds where objects begin and end, block by block.

    Args:
        longest: bytes of an object that is held whole.
        base: how many brackets are open between two objects.
    """

    def __init__(self, longest: int, base: int) -> None:
        self._longest, self._base = longest, base
        self._held = b""
        """What is read and belongs to no object that ended: the one under way, or what stands between two."""
        self._at = self._depth = self._dropped = self._lines_dropped = 0
        self._line = 1
        self._is_in_text = False

    def take(self, block: bytes) -> Iterator[Line]:
        """The objects that end in a block."""
        self._held += block.removeprefix(codecs.BOM_UTF8) if self._line == 1 and not self._held else block
        while True:
            if self._is_in_text:
                end = _END_OF_TEXT.match(self._held, self._at)
                if end is None:
                    self._wait()
                    break
                self._at, self._is_in_text = end.end(), False
            sign = _SIGN.search(self._held, self._at)
            if sign is None:
                self._at = len(self._held)
                break
            if sign[0] == b'"':
                self._at, self._is_in_text = sign.end(), True
                continue
            yield from self._step(sign)
        if self._depth > self._base and len(self._held) > self._longest:
            self._shorten()

    def end(self) -> Iterator[Line]:
        """What stands below the last object."""
        if self._depth > self._base or self._is_in_text:
            raise RefusedError("an object begins here and does not end", self._line)
        if self._depth == self._base == 1:
            raise RefusedError("the array does not end; the file seems to be cut", self._line)
        yield from self._between(len(self._held))

    def _step(self, sign: re.Match[bytes]) -> Iterator[Line]:
        if sign[0] in _OPENING:
            if self._depth <= self._base:
                yield from self._between(sign.start())
                self._at = 0
                if self._depth < self._base:
                    self._pass(1)
                    self._depth += 1
                    return
                self._depth += 1
                self._at = 1
                return
            self._depth += 1
        elif sign[0] in _CLOSING:
            self._depth -= 1
            if self._depth < 0:
                raise RefusedError("a bracket closes that was never opened", self._line)
            if self._depth == self._base:
                yield self._taken(sign.end())
                return
            if self._depth < self._base:
                yield from self._between(sign.start())
                self._pass(1)
                return
        self._at = sign.end()

    def _taken(self, end: int) -> Line:
        """The object that ends here."""
        whole = self._dropped + end <= self._longest
        text = self._held[:end] if whole else self._held[: min(_HELD_BYTES, self._longest)]
        found = Line(self._line, text, 0 if whole else self._dropped + end - len(text))
        self._pass(end)
        self._dropped = 0
        return found

    def _between(self, end: int) -> Iterator[Line]:
        """What stands before the next object, if it is anything."""
        text = self._held[:end]
        found = text.strip(_BETWEEN)
        if found:
            begin = text.index(found)
            yield Line(self._line + text.count(b"\n", 0, begin), found)
        self._pass(end)

    def _pass(self, end: int) -> None:
        self._line += self._held.count(b"\n", 0, end) + self._lines_dropped
        self._held, self._at, self._lines_dropped = self._held[end:], 0, 0

    def _wait(self) -> None:
        """Leave what may be the first half of an escaped character for the next block."""
        tail = self._held[self._at :]
        slashes = len(tail) - len(tail.rstrip(b"\\"))
        self._at = len(self._held) - slashes % 2

    def _shorten(self) -> None:
        """Drop what was looked at of an object that is too long, but for its beginning."""
        kept = min(_HELD_BYTES, self._longest)
        dropped = self._held[kept : self._at]
        self._dropped += len(dropped)
        self._lines_dropped += dropped.count(b"\n")
        self._held = self._held[:kept] + self._held[self._at :]
        self._at = kept
