"""Opens the catalog: a database of SQLAlchemy's, or the Glue Data Catalog."""

from __future__ import annotations

import re
import time
import weakref

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError

from nequi_lake.lake.catalog.database import LOCKED_S, explain_address, explain_failure, usable_address
from nequi_lake.lake.layout import PROCESSED
from nequi_lake.lake.retrying import retrying
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend


def open_catalog(settings: Settings, storage: StorageBackend) -> MetastoreCatalog:
    """The catalog that the settings name, with its tables made where they are not there yet.

    Raises:
        CatalogError: the database cannot be read.
        TransientError: it cannot be reached now.
        UsageError: its address cannot be used.
    """
    options = {"warehouse": storage.path(PROCESSED), **storage.iceberg_properties()}
    if settings.catalog == "glue":
        return _glue(options)
    began = time.monotonic()

    def is_worth_waiting(error: BaseException) -> bool:
        return _is_being_made(error) and time.monotonic() - began < LOCKED_S

    options["uri"] = usable_address(settings.catalog_uri)
    try:
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
    except DBAPIError as refusal:
        raise explain_failure(refusal, settings.catalog_shown) from refusal
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as refusal:
        raise explain_address(refusal, settings.catalog_uri) from None
    return catalog


def _is_being_made(error: BaseException) -> bool:
    """Whether another process is making the catalog's tables in the database at this moment."""
    return isinstance(error, DatabaseError) and bool(re.search("already exists|duplicate key|locked", str(error.orig)))


def _glue(options: dict[str, str]) -> MetastoreCatalog:
    # In a module of its own: PyIceberg's imports boto3, which a lake in a folder does without.
    from nequi_lake.lake.catalog.glue import LakeGlueCatalog
    from nequi_lake.lake.storage.aws import access

    return LakeGlueCatalog("nequi_lake", client=access().client("glue"), **options)
