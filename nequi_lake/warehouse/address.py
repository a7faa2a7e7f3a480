"""The address of a warehouse, taken apart before a library sees it: libpq repeats a malformed one, password and all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from nequi_lake.errors import UsageError
from nequi_lake.redaction import show_url

SETTING = "NEQUI_LAKE_WAREHOUSE"
_FORM = "postgresql://USER@HOST:5432/DATABASE, and the password in PGPASSWORD or ~/.pgpass"
_PARTS = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^:@/?#\s]+)(?::(?P<password>[^:@/?#\s]*))?@)?"
    r"(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\])?(?::(?P<port>[0-9]{1,5}))?/(?P<dbname>[^/?#@\s]+)(?:\?(?P<options>[^#\s]*))?"
)
_OPTIONS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "application_name", "service"})


@dataclass(frozen=True)
class Address:
    """Where a warehouse is.

    Attributes:
        shown: for people, without its password.
        parts: libpq's names of connection parameters, and their values.
    """

    shown: str
    parts: dict[str, str] = field(repr=False)


def parse_address(uri: str) -> Address:
    """Take the address of a PostgreSQL database apart.

    Raises:
        UsageError: it is none.
    """
    shown = show_url(uri)
    found = _PARTS.fullmatch(uri)
    if found is None:
        raise UsageError(
            f"{SETTING} is no address of a PostgreSQL database.",
            where=shown,
            fix=f"Set it to {_FORM}. In a user or password write %40 for @, %2F for /, %3A for :, %3F for ?.",
        )
    groups = found.groupdict()
    options = [option.partition("=") for option in (groups.pop("options") or "").split("&") if option]
    unknown = sorted(name for name, _, _ in options if name not in _OPTIONS)
    if unknown:
        raise UsageError(
            f"The address of the warehouse has options that are not known: {', '.join(unknown)}.",
            where=shown,
            fix=f"Correct {SETTING}. Known are {', '.join(sorted(_OPTIONS))}.",
        )
    if groups["host"]:
        groups["host"] = groups["host"].strip("[]")
    parts = {name: unquote(value) for name, value in groups.items() if value}
    return Address(shown, {**parts, **{name: unquote(value) for name, _, value in options}})
