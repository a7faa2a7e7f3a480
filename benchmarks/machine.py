"""Where and with what it was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks.measure import ROOT

_OURS = ("nequi_lake", "polars", "pyiceberg", "pyarrow", "duckdb", "pandas", "dagster", "dataframely")


def facts() -> Mapping[str, str]:
    """The machine and the versions of all that took part."""
    libraries = [f"{name} {version(name)}" for name in _OURS]
    others = [f"{file.stem}: {', '.join(_pins(file))}" for file in sorted(_environments())]
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{_system()}, Linux {platform.release()}" if platform.system() == "Linux" else platform.platform(),
        "libraries": f"Python {platform.python_version()}, {', '.join(libraries)}",
        "in environments of their own": "; ".join(others),
    }


def _environments() -> Iterator[Path]:
    return (ROOT / "benchmarks" / "environments").glob("*.txt")


def _pins(file: Path) -> list[str]:
    return [line.replace("==", " ") for line in file.read_text().split()]


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.system()
