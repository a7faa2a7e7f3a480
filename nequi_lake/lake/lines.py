"""On which line does a CSV record begin? A record may span lines, so its number does not tell."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from typing import BinaryIO


def lines_of_records(content: BinaryIO, records: Collection[int]) -> dict[int, int]:
    """Record number, from 0 without the header → the line, from 1, on which it begins.

    Args:
        content: the file's bytes; read up to the last record wanted.
        records: the numbers wanted. One that the file does not have is left out.
    """
    wanted = set(records)
    found: dict[int, int] = {}
    with io.TextIOWrapper(content, encoding="utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader(text)
        next(reader, None)
        begins = reader.line_num + 1
        for number, _ in enumerate(reader):
            if number in wanted:
                found[number] = begins
                if len(found) == len(wanted):
                    break
            begins = reader.line_num + 1
    return found
