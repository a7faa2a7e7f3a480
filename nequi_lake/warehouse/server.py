"""The PostgreSQL server: how it is reached, what must be so of it, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from nequi_lake.errors import NequiLakeError, TransientError, UsageError, WarehouseError, needs_extra
from nequi_lake.redaction import redact, scrub
from nequi_lake.warehouse.address import SETTING, Address

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

OLDEST = 140_000
"""The oldest server that is used, as ``server_version`` counts."""
TRIES = 4
_CONNECT_S = "10"
_MAY_PASS = {"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"}
"""What may pass: a deadlock, a lock that is taken, a server that restarts or has no connection left."""
_REFUSED = {
    "28P01": ("does not accept the password", f"Correct it where it is: PGPASSWORD, ~/.pgpass or {SETTING}."),
    "28000": ("does not let this user in", f"Correct the user in {SETTING}, or pg_hba.conf of the server."),
    "3D000": ("has no such database", f"Correct its name in {SETTING}, or create it: createdb DATABASE"),
    "42501": (
        "does not allow this",
        "The user needs CREATE on the database: GRANT CREATE ON DATABASE … TO …; and must own what it has loaded.",
    ),
    "53100": ("has no space left", "Make space on its disk, and load again; nothing was changed."),
    "57014": ("broke the statement off, as it took longer than it may", "Raise statement_timeout of the user."),
}


@contextmanager
def opened(address: Address) -> Iterator[Connection]:
    """A connection to the warehouse, for the time of the block.

    Raises:
        UsageError: the extra is not installed, or the server does not let this user in.
        WarehouseError: the server is not one that can be used, or refuses.
        TransientError: it cannot be reached, or what it refuses may pass.
    """
    with needs_extra("warehouse"):
        import psycopg
    parts = {"connect_timeout": _CONNECT_S, "application_name": "nequi_lake", **address.parts}
    try:
        with psycopg.connect(**parts, autocommit=True) as connection:  # type: ignore[arg-type]
            _prepare(connection, address)
            yield connection
    except psycopg.Error as error:
        raise translate_error(error, address) from None


def again_where_it_may_pass() -> Retrying:
    """Tries of work in the warehouse, some time apart, as long as what fails may pass."""
    return Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential_jitter(multiplier=0.5, max=8),
        reraise=True,
    )


def translate_error(error: psycopg.Error, address: Address) -> NequiLakeError:
    """What an error of the driver means, human-readable."""
    scrub(error)
    said = redact(" ".join(line.strip() for line in str(error).splitlines() if line.strip())) or type(error).__name__
    state = error.sqlstate
    if state is None and "password authentication failed" in said:
        state = "28P01"
    if state is None and "does not exist" in said and "database" in said:
        state = "3D000"
    if state is None and ("role" in said or "pg_hba" in said or "no password supplied" in said):
        state = "28000"
    if state in _REFUSED:
        what, fix = _REFUSED[state]
        kind: type[NequiLakeError] = UsageError if state in ("28P01", "28000", "3D000") else WarehouseError
        return kind(f"The warehouse {what}: {said}", where=address.shown, fix=fix)
    if state is None or state in _MAY_PASS or state.startswith("08"):
        return TransientError(
            f"The warehouse cannot be reached, or broke off: {said}",
            where=address.shown,
            fix="Is the server there, and the address right? Nothing was changed; load again.",
        )
    return WarehouseError(
        f"The warehouse refuses: {said}", where=address.shown, fix="Nothing was changed. See the server's log."
    )


def _prepare(connection: Connection, address: Address) -> None:
    version = connection.info.server_version
    if version < OLDEST:
        raise WarehouseError(
            f"The warehouse is PostgreSQL {version // 10_000}; {OLDEST // 10_000} is the oldest that can be used.",
            where=address.shown,
            fix="Upgrade the server.",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise WarehouseError(
            f"The warehouse's database is encoded as {encoding}, which cannot hold every text.",
            where=address.shown,
            fix="Create a database with ENCODING 'UTF8', and load that.",
        )
    connection.execute("SET client_encoding = 'UTF8'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET DateStyle = 'ISO, YMD'")
    # Otherwise the work of a program that was killed goes on, and holds its locks.
    connection.execute("SET client_connection_check_interval = '2s'")
