"""Raw files as the raw zone would have them, without a run."""

from __future__ import annotations

from pathlib import Path

from nequi_lake.datasets.spec import Dataset
from nequi_lake.lake.raw import KeptFile
from nequi_lake.quality.structure import inspect


def kept_file(dataset: Dataset, folder: Path, content: str | bytes) -> KeptFile:
    """The only raw file of a dataset, with this content."""
    (file,) = dataset.files
    path = folder / file.name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    structure = inspect(file, path)
    return KeptFile(
        dataset=dataset.name,
        file=file.name,
        version="v",
        sha256="0",
        size_bytes=path.stat().st_size,
        source="test",
        source_version=None,
        licence="none",
        zip_sha256=None,
        records=structure.records,
        lines=structure.lines,
        whole=structure.loads(dataset.quarantine_limit(file)),
        damaged=structure.damaged,
        fetched_at="",
        path=str(path),
    )
