"""Raw files as the raw zone would have them, without a run."""

from __future__ import annotations

from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.raw import KeptFile, Part
from nequi_lake.quality.structure import inspect, together


def kept_file(dataset: Dataset, folder: Path, *parts: str | bytes) -> KeptFile:
    """The only raw file of a dataset: whole, with this content, or in parts with these contents."""
    (file,) = dataset.files
    stem, ending = file.name.split(".")
    names = [file.name] if len(parts) == 1 else [f"{stem}/part-{number}.{ending}" for number in range(len(parts))]
    (folder / stem).mkdir(exist_ok=True)
    for name, content in zip(names, parts, strict=True):
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    structures = {name: inspect(file, folder / name) for name in names}
    return KeptFile(
        dataset=dataset.name,
        file=file.name,
        version="v",
        source="test",
        source_version=None,
        licence="none",
        whole=together(file, structures).loads(dataset.quarantine_limit(file)),
        parts=tuple(
            Part(
                name=name,
                sha256=name,
                size_bytes=(folder / name).stat().st_size,
                records=structure.records,
                lines=structure.lines,
                damaged=structure.damaged,
                marked=structure.marked,
            )
            for name, structure in structures.items()
        ),
        fetched_at="",
        folder=str(folder),
    )
