"""Counts the members of a zip in little memory, before anything reads all of them at once.

Python's own reader holds each member that the directory at the zip's end has, whatever number the zip says.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_END = struct.Struct("<4s4H2LH")
_END_OF_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_OF_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s24x3H12x")
_COMMENT_BYTES = 2**16
_BUFFER_BYTES = 2**20


def count_members(archive: Path, up_to: int) -> int:
    """Return how many members a zip has; where it has more than ``up_to``, one more than that.

    Of a file that is no zip it is 0, as far as this sees: whoever opens it says what is wrong.
    """
    with archive.open("rb", buffering=_BUFFER_BYTES) as stream:
        start = _directory_start(stream)
        if start is None:
            return 0
        stream.seek(start)
        count = 0
        while count <= up_to:
            entry = stream.read(_ENTRY.size)
            if len(entry) < _ENTRY.size or not entry.startswith(b"PK\x01\x02"):
                break
            _, *lengths = _ENTRY.unpack(entry)
            stream.seek(sum(lengths), os.SEEK_CUR)
            count += 1
        return count


def _directory_start(stream: BinaryIO) -> int | None:
    """Where the directory begins; None where there is none. Bytes may stand before the zip."""
    size = stream.seek(0, os.SEEK_END)
    tail_start = max(0, size - _END.size - _COMMENT_BYTES)
    stream.seek(tail_start)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return None
    directory_bytes = _END.unpack_from(tail, at)[5]
    end = tail_start + at
    if at >= _LOCATOR_OF_64.size and tail.startswith(b"PK\x06\x07", at - _LOCATOR_OF_64.size):
        end -= _LOCATOR_OF_64.size + _END_OF_64.size
        stream.seek(max(0, end))
        record = stream.read(_END_OF_64.size)
        if len(record) < _END_OF_64.size or not record.startswith(b"PK\x06\x06"):
            return None
        directory_bytes = _END_OF_64.unpack(record)[8]
    start = end - directory_bytes
    return start if start >= 0 else None
