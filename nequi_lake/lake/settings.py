"""The lake's settings, read from the environment in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from nequi_lake.errors import UsageError

GIB = 2**30

N = TypeVar("N", int, float)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the lake is and what it is filled from.

    Attributes:
        uri: the lake, an absolute folder or an object store URI; no slash at its end.
        source: ``sample``, ``kaggle``, or a folder that holds ``<dataset>/<file>``.
        sample_scale: share of the full Kaggle size that the sample has, 0.0001 to 100.
        sample_seed: seed of the sample.
        catalog_uri: SQLAlchemy URL of the catalog's database.
        zip_max_bytes: what a zip may unpack to at most.
        zip_max_ratio: how many times its size a zip may unpack to.
    """

    uri: str
    source: str = "sample"
    sample_scale: float = 0.01
    sample_seed: int = 1
    catalog_uri: str = ""
    zip_max_bytes: int = 64 * GIB
    zip_max_ratio: float = 200.0

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """The settings of ``NEQUI_LAKE_*`` in ``env``, the process's environment by default.

        Raises:
            UsageError: a value that cannot be used.
        """
        env = os.environ if env is None else env
        uri = _folder(env.get("NEQUI_LAKE_URI") or "./lake", "NEQUI_LAKE_URI")
        source = env.get("NEQUI_LAKE_SOURCE") or "sample"
        return cls(
            uri=uri,
            source=source if source in ("sample", "kaggle") else _folder(source, "NEQUI_LAKE_SOURCE"),
            sample_scale=_number(env, "NEQUI_LAKE_SAMPLE_SCALE", cls.sample_scale, float, 0.0001, 100),
            sample_seed=_number(env, "NEQUI_LAKE_SAMPLE_SEED", cls.sample_seed, int, 0, 2**31),
            catalog_uri=env.get("NEQUI_LAKE_CATALOG_URI") or f"sqlite:///{uri}/catalog.db",
            zip_max_bytes=_number(env, "NEQUI_LAKE_ZIP_MAX_BYTES", cls.zip_max_bytes, int, 1, 2**60),
            zip_max_ratio=_number(env, "NEQUI_LAKE_ZIP_MAX_RATIO", cls.zip_max_ratio, float, 1, 1e6),
        )


def _folder(value: str, name: str) -> str:
    """The absolute path of a folder that a variable names, as a path or a ``file://`` URI."""
    local = value.removeprefix("file://") if value.startswith("file:///") else value
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", local):
        raise UsageError(f"{name} is {value!r}, which is not supported.", where=name, fix="Name a local folder.")
    return str(Path(unquote(local) if local != value else local).expanduser().absolute())


def _number(env: Mapping[str, str], name: str, default: N, read: Callable[[str], N], low: float, high: float) -> N:
    text = env.get(name)
    if not text:
        return default
    try:
        value = read(text)
        if low <= value <= high:
            return value
    except ValueError:
        pass
    kind = "whole number" if read is int else "number"
    raise UsageError(
        f"{name} is {text!r}, which is not a {kind} from {low:,} to {high:,}.",
        where=f"the environment variable {name}",
        fix=f"Set it within that range, or unset it for {default:,}.",
    )
