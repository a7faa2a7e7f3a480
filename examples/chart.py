"""What the examples share: where a chart goes, and what to say where something is missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from nequi_lake import Lake
from nequi_lake.errors import NequiLakeError, needs_extra

try:
    with needs_extra("examples"):
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure
except NequiLakeError as error:
    sys.exit(str(error))

SAMPLE = "SAMPLE DATA, not real"
OUT = Path(__file__).parent / "out"


def draw(name: str, plot: Callable[[Lake, Axes], None]) -> None:
    """Let an example plot the lake that ``NEQUI_LAKE_URI`` names, and save the chart as ``<name>.png``."""
    path = folder(name) / f"{name}.png"
    figure = Figure(figsize=(9, 5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    try:
        lake = Lake.from_env()
        plot(lake, axes)
        if any(table.published.release.is_sample for table in lake.tables()):
            axes.text(0.5, 0.5, SAMPLE, transform=axes.transAxes, fontsize=32, ha="center", va="center", alpha=0.35)
    except NequiLakeError as error:
        sys.exit(f"{error}\nIs the lake filled? Fill it with: nequi-lake run")
    figure.savefig(path)
    sys.stdout.write(f"{path}\n")


def folder(name: str) -> Path:
    """The folder that ``--out`` names, made where it is not there."""
    options = argparse.ArgumentParser(prog=f"{name}.py")
    options.add_argument("--out", type=Path, default=OUT, help="Folder for the files; examples/out by default.")
    out: Path = options.parse_args().out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        options.error(f"--out {out}: {refusal.strerror}")
    return out
