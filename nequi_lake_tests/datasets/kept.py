"""Raw files as the raw zone would have them, without a run."""

from __future__ import annotations

from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.raw_file import RawFileVersion, RawPart


def kept_file(dataset: Dataset, folder: Path, *parts: str | bytes) -> RawFileVersion:
    """The only raw file of a dataset: in one piece, with this content, or in parts with these contents."""
    (file,) = dataset.files
    stem, ending = file.name.split(".")
    names = [file.name] if len(parts) == 1 else [f"{stem}/part-{number}.{ending}" for number in range(len(parts))]
    (folder / stem).mkdir(exist_ok=True)
    for name, content in zip(names, parts, strict=True):
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    structures = {name: file.inspect(folder / name) for name in names}
    structure = file.merge_structures(structures)
    return RawFileVersion(
        dataset=dataset.name,
        file=file.name,
        version="v",
        readable=structure.is_readable(dataset.quarantine_limit(file, structure.records)),
        fetched_at="",
        parts=tuple(
            RawPart(
                file=file.name,
                name=name,
                source="test",
                licence="none",
                sha256=name,
                size_bytes=(folder / name).stat().st_size,
                structure=structure,
            )
            for name, structure in structures.items()
        ),
        folder=str(folder),
    )
