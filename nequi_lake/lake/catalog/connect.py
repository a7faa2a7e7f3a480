"""Opens the catalog: a database of SQLAlchemy's, or the Glue Data Catalog."""

from __future__ import annotations

import re
import time
import weakref

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from nequi_lake.errors import CatalogError, UsageError
from nequi_lake.lake.layout import PROCESSED
from nequi_lake.lake.retrying import retrying
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.redaction import scrub

LOCKED_S = 30
"""How long a database that others have locked is waited for."""


def open_catalog(settings: Settings, storage: StorageBackend) -> MetastoreCatalog:
    """The catalog that the settings name, with its tables made where they are not there yet.

    Raises:
        CatalogError: the database cannot be read.
        UsageError: its address cannot be used.
    """
    options = {"warehouse": storage.path(PROCESSED), **storage.iceberg_properties()}
    if settings.catalog == "glue":
        return _glue(options)
    began = time.monotonic()

    def is_worth_waiting(error: BaseException) -> bool:
        return _is_being_made(error) and time.monotonic() - began < LOCKED_S

    try:
        options["uri"] = _with_lock_timeout(settings.catalog_uri)
        # A server that was restarted has closed its end of the connections that are kept.
        catalog = SqlCatalog("nequi_lake", init_catalog_tables="false", pool_pre_ping="true", **options)
        if catalog.engine.dialect.name == "sqlite":
            # A connection that is kept stays with a file that another one has taken the place of.
            catalog.engine.dispose()
            catalog.engine = create_engine(options["uri"], poolclass=NullPool)
        # Python 3.13 warns of each connection that is dropped and not closed.
        weakref.finalize(catalog, catalog.engine.dispose)
        # Other processes may create the database's tables between its look and its try.
        retrying(is_worth_waiting)(catalog.create_tables)
    except DatabaseError as refusal:
        scrub(refusal)
        raise CatalogError(
            f"The catalog's database cannot be read: {refusal.orig}.",
            where=settings.catalog_shown,
            fix="Is NEQUI_LAKE_URI right? If the file is damaged, move it away and make the catalog anew: "
            "nequi-lake catalog rebuild",
        ) from refusal
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as refusal:
        # Its words are about parts of the address, which may be parts of a password.
        raise UsageError(
            f"The catalog's database cannot be opened by this address ({type(refusal).__name__}).",
            where=settings.catalog_shown,
            fix="NEQUI_LAKE_CATALOG_URI is a SQLAlchemy URL, such as postgresql+psycopg2://USER:PASSWORD@HOST:5432/"
            "DATABASE, and its driver has to be installed.",
        ) from None
    return catalog


def _with_lock_timeout(uri: str) -> str:
    """The database's URL; SQLite's with the time for which it waits for other processes' locks."""
    url = make_url(uri)
    if url.get_backend_name() == "sqlite" and "timeout" not in url.query:
        url = url.update_query_dict({"timeout": str(LOCKED_S)})
    return url.render_as_string(hide_password=False)


def _is_being_made(error: BaseException) -> bool:
    """Whether another process is making the catalog's tables in the database at this moment."""
    return isinstance(error, DatabaseError) and bool(re.search("already exists|duplicate key|locked", str(error.orig)))


def _glue(options: dict[str, str]) -> MetastoreCatalog:
    # In a module of its own: PyIceberg's imports boto3, which a lake in a folder does without.
    from nequi_lake.lake.catalog.glue import LakeGlueCatalog
    from nequi_lake.lake.storage.aws import access

    return LakeGlueCatalog("nequi_lake", client=access().client("glue"), **options)
