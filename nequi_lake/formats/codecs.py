"""What lies around the text of a file, its compression, encoding and line ends, undone as a stream."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import pyarrow as pa

from nequi_lake.formats.limit import UnpackLimits

LINE_ENDS_SWAPPED = bytes.maketrans(b"\r\n", b"\n\r")
"""Carriage returns and line feeds in each other's place, so that what stands inside of a value can be put back."""

_BLOCK_BYTES = 2**20
_UTF_8 = frozenset({"utf-8", "utf8", "utf_8", "ascii", "us-ascii"})
_ENCRYPTED = 1
_LONE = "nequi_lake_lone"
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "bz2": b"BZh", "zip": b"PK\x03\x04"}
_BZ2_BLOCK = b"1AY&SY"


class PackedError(Exception):
    """A compressed file is damaged, or unpacks to more than it may; the text says which."""


def codec_of(beginning: bytes) -> str:
    """The compression of a file that begins with these bytes; nothing where it is none that can be undone."""
    for codec, magic in _MAGIC.items():
        if beginning.startswith(magic) and (codec != "bz2" or beginning[4:10] == _BZ2_BLOCK):
            return codec
    return ""


def unpacked(
    content: BinaryIO, codec: str, packed_bytes: int | None = None, limits: UnpackLimits | None = None
) -> BinaryIO:
    """The content of a compressed file.

    Args:
        content: the file.
        codec: one of :func:`codec_of`.
        packed_bytes: how long it is, where limits are given.
        limits: what it may unpack to.

    Raises:
        PackedError: it cannot be opened; its ``read`` raises it too, where the file is damaged or beyond the limits.
    """
    try:
        plain = _opened(content, codec)
    except _DAMAGE as damage:
        raise PackedError(_words(codec, damage)) from damage
    count = 0

    def checked(block: bytes) -> bytes:
        nonlocal count
        count += len(block)
        if limits and packed_bytes:
            limits.check(count, packed_bytes)
        return block

    return _Mapped(plain, checked, codec).buffered()


def opened_text(
    content: BinaryIO,
    *,
    codec: str = "",
    encoding: str = "utf-8",
    ends_in_cr: bool = False,
    packed_bytes: int | None = None,
    limits: UnpackLimits | None = None,
) -> BinaryIO:
    """A text in UTF-8 and with line feeds, whatever lies around it.

    Args:
        content: the file.
        codec: its compression, as of :func:`codec_of`.
        encoding: of its characters.
        ends_in_cr: whether its lines end in a carriage return alone.
        packed_bytes: how long it is, where limits are given.
        limits: what it may unpack to.

    Raises:
        PackedError: as of :func:`unpacked`.
    """
    if codec:
        content = unpacked(content, codec, packed_bytes, limits)
    if not is_utf8(encoding):
        content = transcoded(content, encoding)
    return with_line_feeds(content) if ends_in_cr else content


def is_utf8(encoding: str) -> bool:
    """Whether a text of this encoding is one of UTF-8 as it stands."""
    return encoding.lower() in _UTF_8


def transcoded(content: BinaryIO, encoding: str) -> BinaryIO:
    """A text in UTF-8; bytes that are none of its encoding stay bytes that are not UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)(errors=_LONE)

    def recode(block: bytes) -> bytes:
        return decoder.decode(block, final=not block).encode("utf-8", errors="surrogateescape")

    return _Mapped(content, recode).buffered()


def with_line_feeds(content: BinaryIO) -> BinaryIO:
    """A text whose lines end in a carriage return alone, with :data:`LINE_ENDS_SWAPPED`."""
    return _Mapped(content, lambda block: block.translate(LINE_ENDS_SWAPPED)).buffered()


def _opened(content: BinaryIO, codec: str) -> Any:
    match codec:
        case "gzip":
            return gzip.GzipFile(fileobj=content)
        case "bz2":
            return bz2.BZ2File(content)
        case "zstd":
            return pa.CompressedInputStream(pa.PythonFile(content, mode="r"), "zstd")
        case _:
            return _only_member(zipfile.ZipFile(content))


def _only_member(archive: zipfile.ZipFile) -> Any:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise zipfile.BadZipFile(f"it holds {len(members):,} files, and one is expected")
    if members[0].flag_bits & _ENCRYPTED:
        raise zipfile.BadZipFile("it is encrypted")
    return archive.open(members[0])


_DAMAGE = (
    EOFError,
    OSError,
    ValueError,
    IndexError,
    NotImplementedError,
    zlib.error,
    zipfile.BadZipFile,
    pa.ArrowException,
)


def _words(codec: str, damage: Exception) -> str:
    said = str(damage).rstrip(".") or type(damage).__name__
    return f"the file is compressed ({codec}) and cannot be unpacked to its end: {said}"


class _Mapped(io.RawIOBase):
    """A stream of what a function makes of another's blocks; the last block that it gets is empty."""

    def __init__(self, content: Any, make: Callable[[bytes], bytes], codec: str = "") -> None:
        self._content, self._make, self._codec = content, make, codec
        self._held = memoryview(b"")
        self._ended = False

    def buffered(self) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(self, _BLOCK_BYTES))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held and not self._ended:
            block = self._next()
            self._ended = not block
            self._held = memoryview(self._make(block))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _next(self) -> bytes:
        try:
            return bytes(self._content.read(_BLOCK_BYTES))
        except _DAMAGE as damage:
            if not self._codec:
                raise
            raise PackedError(_words(self._codec, damage)) from damage


def _keep_lone(error: UnicodeError) -> tuple[str, int]:
    """Stand-ins that UTF-8 cannot hold for bytes that no text of the encoding has."""
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC80 | byte & 0x7F) for byte in bad), error.end


codecs.register_error(_LONE, _keep_lone)
