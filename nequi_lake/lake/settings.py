"""The lake's settings, read from the environment in one place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

from nequi_lake.errors import UsageError
from nequi_lake.redaction import remember, remember_url, show_url

if TYPE_CHECKING:
    from nequi_lake.datasets.spec import Dataset

GIB = 2**30
PREFIX = "NEQUI_LAKE_"
"""The beginning of the names of all settings."""
OF_DATASET = f"{PREFIX}SOURCE_"
"""The beginning of the names of settings that say the source of one dataset."""
HASH_KEY_CHARACTERS = 32
"""How many a hash key has at least."""
_SOURCES = ("sample", "kaggle")
_OF_ONE_LAKE = ("NEQUI_LAKE_CATALOG", "NEQUI_LAKE_CATALOG_URI")
"""Variables that say something of the lake of ``NEQUI_LAKE_URI`` alone."""

N = TypeVar("N", int, float)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the lake is and what it is filled from.

    Attributes:
        uri: the lake, an absolute folder or an object store URI; no slash at its end.
        datasets: a folder of modules that declare datasets; empty where there is none.
        built_in: whether the lake has the package's own datasets.
        source: ``sample``, ``kaggle``, or a folder or ``s3://bucket/prefix`` that holds ``<dataset>/<file>``.
        sources: dataset → its own source in place of that one.
        source_links: whether a folder source takes files that links lead to out of it.
        sample_scale: share of the full Kaggle size that the sample has, 0.0001 to 100.
        sample_seed: seed of the sample.
        sample_replaces: whether a sample may take the place of data from another source.
        volume_accepted: whether a change of volume that a table refuses is right this time.
        catalog: ``sql``, or ``glue`` for the Glue Data Catalog of AWS.
        catalog_uri: SQLAlchemy URL of the ``sql`` catalog's database, with its password. ``catalog_shown`` has none.
        encryption: how objects on S3 are encrypted: ``AES256``, the ARN of a KMS key, or ``none``.
        athena_workgroup: the workgroup of Athena in which queries run.
        alert_topic: ARN of the SNS topic that receives alerts of failures; empty where none is.
        reports_url: where the reports are served over http, for the links of the Dagster UI; empty where they are not.
        hash_key: the key of the hashes that stand for values of sensitive columns; empty where none is.
        automation: whether schedules and sensors are on until a person switches them off.
        poll_s: seconds between two looks of a sensor for a new version.
        max_partitions: how many partitions a table may have.
        warehouse: address of the database that releases are loaded into, with its password where it has one there;
            empty where there is none. ``warehouse_shown`` has none.
        warehouse_reader: the role of that database that may read what is loaded; empty for none.
        zip_max_bytes: what a zip may unpack to at most.
        zip_max_ratio: how many times its size a zip may unpack to.
        zip_max_members: how many members a zip may have.
    """

    uri: str
    datasets: str = ""
    built_in: bool = True
    source: str = "sample"
    sources: Mapping[str, str] = field(default_factory=dict)
    source_links: bool = False
    sample_scale: float = 0.01
    sample_seed: int = 1
    sample_replaces: bool = False
    volume_accepted: bool = False
    catalog: str = "sql"
    catalog_uri: str = field(default="", repr=False)
    encryption: str = "AES256"
    athena_workgroup: str = "nequi_lake"
    alert_topic: str = ""
    reports_url: str = ""
    hash_key: str = field(default="", repr=False)
    automation: bool = False
    poll_s: int = 3600
    max_partitions: int = 5_000
    warehouse: str = field(default="", repr=False)
    warehouse_reader: str = ""
    zip_max_bytes: int = 64 * GIB
    zip_max_ratio: float = 200.0
    zip_max_members: int = 100_000

    def __post_init__(self) -> None:
        remember_url(self.catalog_uri)
        remember_url(self.warehouse)
        remember(self.hash_key)

    @property
    def catalog_shown(self) -> str:
        """The catalog's address for people, logs and messages: without its password."""
        return show_url(self.catalog_uri)

    @property
    def warehouse_shown(self) -> str:
        """The warehouse's address for people, logs and messages: without its password."""
        return show_url(self.warehouse)

    def source_of(self, dataset: Dataset) -> str:
        """Where the files of a dataset come from: as its own setting says, or its declaration, or the lake's.

        Raises:
            UsageError: the declaration names no source.
        """
        declared = _source(dataset.source, f"source= of {dataset.name}") if dataset.source else ""
        return self.sources.get(dataset.name) or declared or self.source

    def refuse_unknown_datasets(self, known: Collection[str]) -> None:
        """Check that each source of a dataset is that of a known one.

        Raises:
            UsageError: one is not.
        """
        variables = {f"{OF_DATASET}{name.upper()}" for name in known}
        for name in sorted(f"{OF_DATASET}{dataset.upper()}" for dataset in self.sources):
            if name not in variables:
                raise UsageError(
                    f"{name} is the source of no dataset.{_did_you_mean(name, variables | VARIABLES)}",
                    where=f"the environment variable {name}",
                    fix=f"Name it {OF_DATASET}<DATASET>, or unset it. The datasets: {', '.join(sorted(known))}.",
                )

    @classmethod
    def of_lake(cls, where: str, env: Mapping[str, str] | None = None) -> Settings:
        """The settings of a lake that a person names, with the rest of ``env``, the process's environment by default.

        A catalog that ``env`` names for another lake is not this one's.

        Raises:
            UsageError: a value that cannot be used, or ``where`` is empty.
        """
        env = os.environ if env is None else env
        if not where:
            raise UsageError("A lake was named by an empty text.", fix="Name a folder, or s3://bucket/prefix.")
        theirs = env.get("NEQUI_LAKE_URI")
        other = bool(theirs) and _lake(str(theirs)) != _lake(where)
        kept = {name: value for name, value in env.items() if not (other and name in _OF_ONE_LAKE)}
        return cls.from_env({**kept, "NEQUI_LAKE_URI": where})

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """The settings of ``NEQUI_LAKE_*`` in ``env``, the process's environment by default.

        Raises:
            UsageError: a variable that is no setting, or a value that cannot be used.
        """
        env = os.environ if env is None else env
        _refuse_unknown(env)
        uri = _lake(env.get("NEQUI_LAKE_URI") or "./lake")
        catalog, catalog_uri = _catalog(env, uri)
        return cls(
            uri=uri,
            datasets=_modules(env.get("NEQUI_LAKE_DATASETS", "")),
            built_in=_matching(env, "NEQUI_LAKE_BUILT_IN", "on", "on|off", "on or off") == "on",
            source=_source(env.get("NEQUI_LAKE_SOURCE") or cls.source, "NEQUI_LAKE_SOURCE"),
            sources={
                name.removeprefix(OF_DATASET).lower(): _source(value, name)
                for name, value in env.items()
                if _is_of_dataset(name) and value
            },
            source_links=_matching(env, "NEQUI_LAKE_SOURCE_LINKS", "refuse", "refuse|follow", "refuse or follow")
            == "follow",
            sample_scale=_number(env, "NEQUI_LAKE_SAMPLE_SCALE", cls.sample_scale, float, 0.0001, 100),
            sample_seed=_number(env, "NEQUI_LAKE_SAMPLE_SEED", cls.sample_seed, int, 0, 2**31),
            sample_replaces=_matching(env, "NEQUI_LAKE_SAMPLE_REPLACES", "off", "on|off", "on or off") == "on",
            volume_accepted=_matching(env, "NEQUI_LAKE_VOLUME_ACCEPTED", "off", "on|off", "on or off") == "on",
            catalog=catalog,
            catalog_uri=catalog_uri,
            encryption=_matching(
                env,
                "NEQUI_LAKE_ENCRYPTION",
                cls.encryption,
                r"AES256|none|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/.+",
                "AES256, none, or the ARN of a KMS key",
            ),
            athena_workgroup=env.get("NEQUI_LAKE_ATHENA_WORKGROUP") or cls.athena_workgroup,
            alert_topic=_matching(
                env,
                "NEQUI_LAKE_ALERT_TOPIC",
                cls.alert_topic,
                r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:.+",
                "the ARN of an SNS topic",
            ),
            reports_url=_matching(
                env,
                "NEQUI_LAKE_REPORTS_URL",
                cls.reports_url,
                r"https?://[^\s/?#]+(/[^\s?#]*)?",
                "the URL of a web server, such as http://localhost:3001",
            ).rstrip("/"),
            hash_key=_hash_key(env.get("NEQUI_LAKE_HASH_KEY", "")),
            automation=_matching(env, "NEQUI_LAKE_AUTOMATION", "off", "on|off", "on or off") == "on",
            poll_s=_number(env, "NEQUI_LAKE_POLL_SECONDS", cls.poll_s, int, 5, 10**7),
            max_partitions=_number(env, "NEQUI_LAKE_MAX_PARTITIONS", cls.max_partitions, int, 1, 10**6),
            warehouse=env.get("NEQUI_LAKE_WAREHOUSE", ""),
            warehouse_reader=env.get("NEQUI_LAKE_WAREHOUSE_READER", ""),
            zip_max_bytes=_number(env, "NEQUI_LAKE_ZIP_MAX_BYTES", cls.zip_max_bytes, int, 1, 2**60),
            zip_max_ratio=_number(env, "NEQUI_LAKE_ZIP_MAX_RATIO", cls.zip_max_ratio, float, 1, 1e6),
            zip_max_members=_number(env, "NEQUI_LAKE_ZIP_MAX_MEMBERS", cls.zip_max_members, int, 1, 10**7),
        )


VARIABLES = frozenset(
    f"{PREFIX}{'POLL_SECONDS' if setting.name == 'poll_s' else setting.name.upper()}"
    for setting in fields(Settings)
    if setting.name != "sources"
)
"""The environment variables that are settings, but for those of one dataset."""


def _is_of_dataset(name: str) -> bool:
    return name.startswith(OF_DATASET) and name not in VARIABLES


def _refuse_unknown(env: Mapping[str, str]) -> None:
    for name in sorted(name for name in env if name.startswith(PREFIX) and name not in VARIABLES):
        if _is_of_dataset(name):
            continue
        raise UsageError(
            f"{name} is no setting of the lake.{_did_you_mean(name, VARIABLES)}",
            where=f"the environment variable {name}",
            fix="Correct its name, or unset it. docs/settings.md lists the settings.",
        )


def _did_you_mean(given: str, known: Collection[str]) -> str:
    close = get_close_matches(given, sorted(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _source(value: str, name: str) -> str:
    if value in _SOURCES:
        return value
    if value.startswith("s3://"):
        return _bucket(value, name)
    if not re.search(r"[/\\]|^[.~]", value) and not Path(value).is_dir():
        raise UsageError(
            f"{name} is {value!r}, which is no source.{_did_you_mean(value, _SOURCES)}",
            where=name,
            fix=f"Set it to {' or '.join(_SOURCES)}, s3://bucket/prefix or a folder; there is none of this name here.",
        )
    return _folder(value, name)


def _modules(value: str) -> str:
    if not value:
        return ""
    folder = _folder(value, "NEQUI_LAKE_DATASETS")
    if not Path(folder).is_dir():
        raise UsageError(
            f"NEQUI_LAKE_DATASETS is {value!r}, and there is no such folder.",
            where="NEQUI_LAKE_DATASETS",
            fix="Name the folder in which the modules of your datasets are.",
        )
    return folder


def _lake(value: str) -> str:
    if not value.startswith("s3://"):
        folder = _folder(value, "NEQUI_LAKE_URI")
        odd = sorted({*folder} & {"?", "%"})
        if odd:
            raise UsageError(
                f"The path of a lake may not have {' or '.join(odd)} in it: the address of its catalog cannot.",
                where=folder,
                fix="Name another folder in NEQUI_LAKE_URI.",
            )
        return folder
    return _bucket(value, "NEQUI_LAKE_URI")


def _bucket(value: str, name: str) -> str:
    """The URI of a bucket and a prefix that a variable names, without a slash at its end."""
    uri = value.rstrip("/")
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.=-]+)*", uri):
        raise UsageError(
            f"{name} is {value!r}, which is not a bucket and a prefix.",
            where=name,
            fix="Write it as s3://bucket/prefix, with letters, digits, and . _ = - in the prefix.",
        )
    return uri


def _catalog(env: Mapping[str, str], uri: str) -> tuple[str, str]:
    on_s3 = uri.startswith("s3://")
    kind = _matching(env, "NEQUI_LAKE_CATALOG", "glue" if on_s3 else "sql", "sql|glue", "sql or glue")
    database = env.get("NEQUI_LAKE_CATALOG_URI", "")
    if kind == "glue":
        if not on_s3:
            raise UsageError(
                "A lake in a folder cannot be in the Glue Data Catalog.",
                where="NEQUI_LAKE_CATALOG",
                fix="Unset it, or set NEQUI_LAKE_URI to s3://bucket/prefix.",
            )
        return kind, ""
    if on_s3 and not database:
        raise UsageError(
            "A lake on S3 with an sql catalog needs a database for it.",
            where="NEQUI_LAKE_CATALOG_URI",
            fix="Set it to an SQLAlchemy URL, or set NEQUI_LAKE_CATALOG=glue.",
        )
    return kind, database or f"sqlite:///{uri}/catalog.db"


def _matching(env: Mapping[str, str], name: str, default: str, pattern: str, kinds: str) -> str:
    value = env.get(name) or default
    if value == default or re.fullmatch(pattern, value):
        return value
    raise UsageError(f"{name} is {value!r}.", where=f"the environment variable {name}", fix=f"Set it to {kinds}.")


def _hash_key(value: str) -> str:
    if value and len(value.strip()) < HASH_KEY_CHARACTERS:
        raise UsageError(
            f"NEQUI_LAKE_HASH_KEY has {len(value.strip())} characters: who guesses it finds out every hashed value.",
            where="the environment variable NEQUI_LAKE_HASH_KEY",
            fix=f"Set it to {HASH_KEY_CHARACTERS} random characters or more, such as those of: openssl rand -hex 32",
        )
    return value.strip()


def _folder(value: str, name: str) -> str:
    """The absolute path of a folder that a variable names, as a path or a ``file://`` URI."""
    local = value.removeprefix("file://") if value.startswith("file:///") else value
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:|(?i:s3)//", local):
        raise UsageError(
            f"{name} is {value!r}, which is not supported.",
            where=name,
            fix="Name a local folder, or s3://bucket/prefix.",
        )
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
