"""What the benchmarks read, and the environments of peers that do not install beside the project. Made once, kept in
``.bench``."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nequi_lake.samples
from benchmarks import formats
from benchmarks.measure import ROOT
from benchmarks.task import DATASET
from nequi_lake.lake.declared import discover
from nequi_lake.sources.sample import SampleSource

CACHE = ROOT / ".bench"
_BLOCK_BYTES = 2**24


def sample(scale: float) -> Path:
    """A folder source with the sample of credit_risk at that scale."""
    code = sorted(Path(nequi_lake.samples.__file__).parent.glob("*.py"))
    folder = CACHE / "inputs" / f"scale-{scale:g}-{_digest(code)}"
    if not folder.exists():
        draft = folder.with_name(folder.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        (draft / DATASET).mkdir(parents=True)
        SampleSource(scale=scale, seed=1).fetch(discover()[DATASET], draft / DATASET)
        draft.rename(folder)
    return folder


def records_as(name: str, rows: int) -> Path:
    """A folder source with so many records in that format."""
    folder = CACHE / "inputs" / f"records-{rows}-{_digest([Path(formats.__file__)])}" / name.replace(" ", "-")
    if not folder.exists():
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        formats.write(name, rows, draft)
        draft.rename(folder)
    return folder


def warm(folder: Path) -> None:
    """Bring files into the page cache, and what earlier runs wrote out of the way."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                while stream.read(_BLOCK_BYTES):
                    pass


def python_of(environment: str) -> str:
    """The Python of a virtual environment with the versions of ``benchmarks/environments/<environment>.txt``."""
    wanted = ROOT / "benchmarks" / "environments" / f"{environment}.txt"
    folder = CACHE / "environments" / f"{environment}-{_digest([wanted])}"
    ready = folder / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(wanted)], check=True)
        ready.touch()
    return str(folder / "bin" / "python")


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:8]
