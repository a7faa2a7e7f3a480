"""The database of an ``sql`` catalog: its address, and what its failures mean, human-readable."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError

from nequi_lake.errors import CatalogError, NequiLakeError, TransientError, UsageError
from nequi_lake.redaction import password_of, scrub, show_url

LOCKED_S = 30
"""How long a database that others have locked is waited for."""
CONNECT_S = 10
"""How long a server is waited for that does not answer."""
SETTING = "NEQUI_LAKE_CATALOG_URI"
_FORM = "postgresql+psycopg2://USER:PASSWORD@HOST:5432/DATABASE"


@dataclass(frozen=True)
class _Meaning:
    """What a database's words mean: what happened, and what to do."""

    words: str
    kind: type[NequiLakeError]
    what: str
    fix: str


# The drivers say what went wrong only in words.
_MEANINGS = (
    _Meaning(
        r"password authentication failed|no password supplied|role .+ (does not exist|is not permitted)|pg_hba\.conf",
        UsageError,
        "The catalog's database does not accept the user or the password",
        f"Correct them in {SETTING}: {_FORM}",
    ),
    _Meaning(
        r"database .+ does not exist",
        UsageError,
        "The catalog's database is not on its server",
        f"Correct its name, at the end of the address in {SETTING}; or create it: createdb DATABASE",
    ),
    _Meaning(
        r"invalid dsn|invalid (connection option|\w+ value)|does not support SSL|certificate",
        UsageError,
        "The catalog's database cannot be opened with the options of its address",
        f"Correct them, behind the question mark in {SETTING}.",
    ),
    _Meaning(
        r"permission denied|read-only|readonly",
        CatalogError,
        "The catalog's database does not allow this",
        "A run needs a user that may create tables in the schema, and read and change them; who only reads the lake "
        "needs SELECT on the tables that the first run has made.",
    ),
    _Meaning(
        r"not a database|malformed|unable to open",
        CatalogError,
        "The catalog's database cannot be read",
        "Is NEQUI_LAKE_URI right? If the file is damaged, move it away and make the catalog anew: "
        "nequi-lake catalog rebuild",
    ),
)


def usable_address(uri: str) -> str:
    """The address of a database for SQLAlchemy, with the time for which its driver waits.

    Raises:
        UsageError: it is none.
    """
    try:
        url = make_url(uri)
        backend, driver = url.get_backend_name(), url.get_driver_name()
    except (ArgumentError, ValueError) as refusal:
        raise explain_address(refusal, uri) from None
    if (url.password or "") != password_of(uri):
        raise UsageError(
            "The password in the address of the catalog's database has characters that mean something else there.",
            where=show_url(uri),
            fix=f"Write them as codes in {SETTING}: %40 for @, %2F for /, %3A for :, %3F for ?, %23 for #, %25 for %.",
        )
    if backend == "sqlite":
        url = _with_default(url, "timeout", LOCKED_S)
    elif driver in ("psycopg", "psycopg2"):
        url = _with_default(url, "connect_timeout", CONNECT_S)
    return url.render_as_string(hide_password=False)


def explain_address(refusal: Exception, uri: str) -> UsageError:
    """Why no driver takes an address, human-readable.

    An error's own words are about parts of the address, which may be parts of a password, and are left out.
    """
    if isinstance(refusal, ModuleNotFoundError):
        return UsageError(
            f"The driver of the catalog's database is not installed: {refusal.name}.",
            where=show_url(uri),
            fix="For an address that begins with postgresql+psycopg2:// the package's extra 'postgres' has it: "
            "pip install 'nequi_lake[postgres]'. Others are installed by their own names.",
        )
    if isinstance(refusal, NoSuchModuleError):
        why = f"{uri.partition('://')[0]}:// is not known"
    else:
        why = type(refusal).__name__
    return UsageError(
        f"The catalog's database cannot be opened by this address ({why}).",
        where=show_url(uri),
        fix=f"{SETTING} is a SQLAlchemy URL, such as {_FORM}",
    )


def explain_failure(error: DBAPIError, where: str) -> NequiLakeError:
    """What a failure of the database means, and whether asking again may help; its own message loses its secrets."""
    scrub(error)
    # A line that is indented is a hint of the driver's.
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip() and not line.startswith("\t")]
    words = "; ".join(lines).rstrip(".")
    for meaning in _MEANINGS:
        if re.search(meaning.words, words):
            return meaning.kind(f"{meaning.what}: {words}.", where=where, fix=meaning.fix)
    if isinstance(error, OperationalError | InterfaceError):
        return TransientError(
            f"The catalog's database is busy or cannot be reached: {words}.",
            where=where,
            fix=f"Run it again. If it stays so: is the database up, is its address in {SETTING} right where it is set, "
            "and who else is at work on the lake?",
        )
    return CatalogError(
        f"The catalog's database refuses: {words}.", where=where, fix=f"Is {SETTING} the lake's own database?"
    )


def is_unreached(error: BaseException) -> bool:
    """Whether a server could not be reached, or broke off: it may be restarting."""
    # A database that is locked has been waited for.
    return (
        isinstance(error, OperationalError)
        and "locked" not in str(error.orig)
        and isinstance(explain_failure(error, ""), TransientError)
    )


def _with_default(url: URL, option: str, value: int) -> URL:
    return url if option in url.query else url.update_query_dict({option: str(value)})
