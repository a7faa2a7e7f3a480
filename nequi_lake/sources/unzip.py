"""Unpacks a file, or its parts, from a zip that may be damaged or malicious."""

from __future__ import annotations

import errno
import lzma
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import cast

from nequi_lake.errors import SourceError
from nequi_lake.formats import RawFile
from nequi_lake.formats.limit import UnpackLimits
from nequi_lake.formats.zip_directory import count_members
from nequi_lake.progress import blocks
from nequi_lake.sources.base import select

_ENCRYPTED = 1
"""The bit of a member's flags that says that it is encrypted."""


def members(archive: Path, limits: UnpackLimits) -> list[str]:
    """Return the names of the files in a zip.

    Raises:
        SourceError: the zip is damaged, has a member that points outside of it, or goes beyond the limits.
    """
    with _opened(archive, limits, {}) as opened:
        return _names(opened)


def unzip(archive: Path, file: RawFile, into: Path, limits: UnpackLimits) -> dict[str, Path]:
    """Write the member that is ``file``, or those that are its parts, into a folder.

    Returns:
        The name under which the lake keeps it, or each part → where it is now; nothing where the zip lacks the file.

    Raises:
        SourceError: the zip is damaged, has a member that points outside of it, holds the file twice, is encrypted,
            or goes beyond the limits.
    """
    written: dict[str, Path] = {}
    with _opened(archive, limits, written) as opened:
        for name, part in select(file, _names(opened), str(archive)).items():
            member = opened.getinfo(name)
            if member.flag_bits & _ENCRYPTED:
                raise SourceError(
                    f"The zip's member {name} is encrypted.",
                    where=str(archive),
                    fix="Give a plain zip without a password.",
                )
            target = written[part] = into / part
            target.parent.mkdir(exist_ok=True)
            _unpack(opened, member, target, f"unpacking {part}")
        return written


def _unpack(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, what: str) -> None:
    """Write a member, which must be as long as the zip says: Python's own reader takes one that is shorter, and cuts
    one that is longer."""
    longer = copy(member)
    longer.file_size += 1
    with cast(BufferedIOBase, opened.open(longer)) as source, target.open("wb") as stream:
        stream.writelines(blocks(source, what, member.file_size))
        size = stream.tell()
    if size != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} does not have the {member.file_size:,} bytes that it should have")


def _names(opened: zipfile.ZipFile) -> list[str]:
    """The names of the files in it; a member without a name is none."""
    names = (member.filename for member in opened.infolist())
    return [name for name in names if name and not name.endswith("/")]


@contextmanager
def _opened(archive: Path, limits: UnpackLimits, written: Mapping[str, Path]) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose members are within the limits; what was ``written`` goes where it turns out to be damaged."""
    try:
        if count_members(archive, limits.max_members) > limits.max_members:
            raise SourceError(
                f"The zip has more than {limits.max_members:,} members.",
                where=str(archive),
                fix="If it is what you expect, raise NEQUI_LAKE_ZIP_MAX_MEMBERS.",
            )
        with zipfile.ZipFile(archive) as opened:
            _check(archive, opened.infolist(), limits)
            yield opened
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise _damaged(archive, written, error) from error
    except UnicodeDecodeError as error:
        raise _damaged(archive, written, f"a member's name is not {error.encoding}: {error.object!r}") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, IndexError) as damage:
        raise _damaged(archive, written, damage) from damage
    except NotImplementedError as refusal:
        raise SourceError(
            f"The zip cannot be opened: {refusal}.", where=str(archive), fix="Give a zip that any tool can open."
        ) from refusal


def _damaged(archive: Path, written: Mapping[str, Path], damage: Exception | str) -> SourceError:
    for target in written.values():
        target.unlink(missing_ok=True)
    return SourceError(
        f"The zip is damaged: {str(damage).rstrip('.')}.",
        where=str(archive),
        fix="Download it again, and compare its size.",
    )


def _check(archive: Path, members: Collection[zipfile.ZipInfo], limits: UnpackLimits) -> None:
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
