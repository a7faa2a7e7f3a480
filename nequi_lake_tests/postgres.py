"""Databases for the tests that are marked ``postgres``, on the server that ``scripts/postgres`` has started."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, create_engine, make_url, text

SCRIPT = Path(__file__).parent.parent / "scripts" / "postgres"


@dataclass(frozen=True)
class Database:
    """A database of its own, and a user of its own to whom it belongs.

    Attributes:
        url: its address, with the user's password.
        server: the address by which the server's owner reaches it.
    """

    url: URL
    server: URL

    @property
    def uri(self) -> str:
        """The address as a setting."""
        return self.url.render_as_string(hide_password=False)

    def changed(self, **parts: str | int) -> str:
        """The address with other parts, as a setting."""
        return self.url.set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]

    def do(self, *statements: str) -> None:
        """Run statements in the database as the server's owner."""
        with _connected(self.server.set(database=self.url.database)) as connection:
            for statement in statements:
                connection.execute(text(statement))

    def restart_server(self) -> None:
        """Stop the server, which breaks every connection, and start it again."""
        subprocess.run([SCRIPT, "restart"], check=True)


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty database."""
    with new_database() as made:
        yield made


@contextmanager
def new_database() -> Iterator[Database]:
    """An empty database for the time of the block."""
    server = make_url(os.environ["NEQUI_TEST_POSTGRES"])
    name = f"lake_{uuid.uuid4().hex[:12]}"
    with _connected(server) as owner:
        owner.execute(text(f"CREATE USER {name} PASSWORD 'c4n4ry/pass word'"))
        owner.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
    yield Database(server.set(username=name, password="c4n4ry/pass word", database=name), server)
    with _connected(server) as owner:
        owner.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        owner.execute(text(f"DROP USER {name}"))


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
