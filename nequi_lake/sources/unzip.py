"""Unpacks a file, or its parts, from a zip that may be damaged or malicious."""

from __future__ import annotations

import errno
import lzma
import stat
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import cast

from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.progress import blocks
from nequi_lake.sources.base import select

_ENCRYPTED = 1
"""The bit of a member's flags that says that it is encrypted."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of what a zip may unpack to: in bytes, and as a multiple of the zip's size."""

    max_bytes: int
    max_ratio: float


def members(archive: Path) -> list[str]:
    """The names of the files in a zip; none where it cannot be opened, which :func:`unzip` says when it is asked."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return [member.filename for member in opened.infolist() if not member.filename.endswith("/")]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, IndexError):
        return []


def unzip(archive: Path, file: RawFile, into: Path, limits: Limits) -> dict[str, Path]:
    """Write the member that is ``file``, or those that are its parts, into a folder.

    Returns:
        The name under which the lake keeps it, or each part → where it is now; nothing where the zip lacks the file.

    Raises:
        SourceError: the zip is damaged, has a member that points outside of it, holds the file twice, is encrypted,
            or unpacks to more than the limits.
    """
    written: dict[str, Path] = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            _check(archive, opened.infolist(), limits)
            names = [member.filename for member in opened.infolist() if not member.filename.endswith("/")]
            for name, part in select(file, names, str(archive)).items():
                member = opened.getinfo(name)
                if member.flag_bits & _ENCRYPTED:
                    raise SourceError(
                        f"The zip's member {name} is encrypted.",
                        where=str(archive),
                        fix="Give a plain zip without a password.",
                    )
                target = written[part] = into / part
                target.parent.mkdir(exist_ok=True)
                with cast(BufferedIOBase, opened.open(member)) as source, target.open("wb") as stream:
                    stream.writelines(blocks(source, f"unpacking {part}", member.file_size))
            return written
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise _damaged(archive, written, error) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, IndexError) as damage:
        # ValueError and IndexError are of names that are none: not UTF-8 where they say so, empty, or a number that
        # is too long.
        raise _damaged(archive, written, damage) from damage
    except NotImplementedError as refusal:
        raise SourceError(
            f"The zip cannot be opened: {refusal}.", where=str(archive), fix="Give a zip that any tool can open."
        ) from refusal


def _damaged(archive: Path, written: Mapping[str, Path], damage: Exception) -> SourceError:
    for target in written.values():
        target.unlink(missing_ok=True)
    return SourceError(
        f"The zip is damaged: {str(damage).rstrip('.')}.",
        where=str(archive),
        fix="Download it again, and compare its size.",
    )


def _check(archive: Path, members: Collection[zipfile.ZipInfo], limits: Limits) -> None:
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or ":" in member.filename.split("/")[0] or is_link:
            raise SourceError(
                f"The zip has a member that points outside of it: {member.filename!r}.",
                where=str(archive),
                fix="Do not trust this file; download it again from its publisher.",
            )
    unpacked = sum(member.file_size for member in members)
    size = archive.stat().st_size
    if unpacked > limits.max_bytes:
        raise SourceError(
            f"The zip unpacks to {unpacked:,} bytes; the limit is {limits.max_bytes:,}.",
            where=str(archive),
            fix="If it is what you expect, raise NEQUI_LAKE_ZIP_MAX_BYTES.",
        )
    if unpacked > limits.max_ratio * size:
        raise SourceError(
            f"The zip unpacks to {unpacked / size:,.0f} times its size; the limit is {limits.max_ratio:,.0f} times.",
            where=str(archive),
            fix="If it is what you expect, raise NEQUI_LAKE_ZIP_MAX_RATIO.",
        )
