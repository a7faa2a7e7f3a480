"""What the name of a file in a delivery says: which declared file it could be meant as, and how it is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath

from nequi_lake.datasets.spec import Dataset
from nequi_lake.formats import RawFile, words

MAX_NAME_BYTES = 200
"""A longer name is not read, as the lake adds to it, and no folder takes one of over 255 bytes."""
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".filepart", ".opdownload", ".tmp", ".temp")
_PACKED = (".zip", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar", ".tar", ".tgz")
_ABOUT = (".manifest.json", ".md5", ".sha1", ".sha256", ".sha512", ".asc", ".sig")
"""Endings of files that say something about the file that they are named after."""
_COPY = re.compile(r"(\s*\(\d+\)|[\s_-]+(copy|copia|kopie)([\s_]*\(?\d+\)?)?|~)+$")
_COPY_OF = re.compile(r"^(copy of|copia de|kopie von)\s+")
_NUMBER = re.compile(r"[\s._-]*(part)?[\s._-]*\d+([\s._-]*of[\s._-]*\d+)?$")


def could_be(dataset: Dataset, path: str, part_folders: Mapping[str, RawFile]) -> str | None:
    """The declared file, or the zip of the dataset, that a name could be meant as; None where it is of something else.

    It could be meant as one whose name differs by case, ending, compression, a part's number, or the mark of a copy or
    of an unfinished download.

    Args:
        dataset: whose delivery it is in.
        path: the name, with the folders that it lies in.
        part_folders: folder → the file of which parts are taken from it.
    """
    name = PurePosixPath(path)
    endings = {PurePosixPath(declared).suffix.casefold() for file in dataset.files for declared in _declared(file)}
    stems, is_packed, ending = _stems(name.name, endings)
    parents = {stem for folder in name.parts[:-1] for stem in _stems(folder, endings)[0]}
    is_part = bool(stems & {"part", ""})
    for file in dataset.files:
        own = {_stem(declared) for declared in _declared(file)}
        of_kind = ending in {PurePosixPath(declared).suffix.casefold() for declared in _declared(file)}
        in_parts = part_folders.get(str(name.parent)) is file or len(name.parts) == 1
        if own & stems or (is_part and (own & parents or (of_kind and in_parts))):
            return file.name
        if of_kind and part_folders.get(str(name.parent)) is file:
            return file.name
    whole = zip_of(dataset)
    return whole if is_packed and _stem(whole) in stems else None


def zip_of(dataset: Dataset) -> str:
    """The name of the zip that Kaggle gives for a dataset; of one that is not there, the dataset's own name."""
    return f"{dataset.slug.rsplit('/', 1)[-1] or dataset.name}.zip"


def is_copy(name: str) -> bool:
    """Whether a name has the mark of a copy."""
    stem = PurePosixPath(name.casefold()).stem
    return bool(_COPY.search(stem) or _COPY_OF.search(stem))


def is_text(name: str) -> bool:
    """Whether a name is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_passed_over(path: str) -> bool:
    """Whether systems call what they leave so: by a name that begins with ``.`` or ``_``, or in a folder of one."""
    return any(part.startswith((".", "_")) for part in PurePosixPath(path).parts)


def listed(names: Sequence[str]) -> str:
    """Names of files for a message, the first of them where they are many."""
    return words.listed(names, MAX_NAME_BYTES)


def shown(name: str) -> str:
    """The name of a file for a message."""
    return words.shown(name, MAX_NAME_BYTES)


def _declared(file: RawFile) -> tuple[str, ...]:
    return (file.name, *file.aliases)


def _stem(declared: str) -> str:
    return PurePosixPath(_folded(declared)).stem


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def _stems(name: str, endings: Collection[str]) -> tuple[set[str], bool, str]:
    """What is left of a name without what people and programs add to it, with and without a number at its end.

    Returns:
        The stems; whether the name is of something packed or unfinished; the declared ending that it has, or nothing.
    """
    stem, is_packed, declared, has_other = _folded(name), False, "", False
    if stem.endswith(_ABOUT):
        return {stem}, False, ""
    while True:
        stem = _COPY_OF.sub("", _COPY.sub("", stem)).strip()
        ending = PurePosixPath(stem).suffix
        if ending in _UNFINISHED or ending in _PACKED:
            is_packed = True
        elif ending and ending in endings:
            declared = ending
        elif ending and not has_other:
            has_other = True
        else:
            return {stem, _NUMBER.sub("", stem)}, is_packed, declared
        stem = stem.removesuffix(ending)
