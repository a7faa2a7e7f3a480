"""A loader that is killed again and again: readers of the database see one whole release or the other."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from nequi_lake.warehouse.load import load
from nequi_lake_tests.postgres import Database
from nequi_lake_tests.warehouse.shop import SHOP
from nequi_lake_tests.warehouse.test_load import Warehouse, differences

pytestmark = pytest.mark.postgres
KILLS = 20
LOAD = """
import sys
from pathlib import Path
from nequi_lake.warehouse.load import load
from nequi_lake_tests.warehouse.shop import SHOP, lake_of
lake = lake_of(Path(sys.argv[1]), warehouse=sys.argv[2])
print("begun", flush=True)
load(lake, SHOP)
"""
ASK = "SELECT (SELECT count(*) FROM shop.customers), count(*), sum(amount) FROM shop.orders"


def test_readers_see_whole_releases_while_loaders_are_killed(database: Database, tmp_path: Path) -> None:
    warehouse = Warehouse(database, tmp_path)
    small = ([(n, "a") for n in range(3_000)], [(f"o{n}", n % 3_000, "1.00", "") for n in range(30_000)])
    large = ([(n, "b") for n in range(4_000)], [(f"o{n}", n % 4_000, "2.00", "") for n in range(40_000)])
    load(warehouse.publish(*small), SHOP)
    seen: list[tuple[object, ...]] = []
    ended = threading.Event()

    def read() -> None:
        with psycopg.connect(warehouse.uri, autocommit=True) as reader:
            while not ended.is_set():
                seen.extend(reader.execute(ASK).fetchall())

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    chance = random.Random(1)
    killed = 0
    try:
        for number in range(2 * KILLS):
            if number % 5 == 0:
                lake = warehouse.publish(*(small if number % 2 else large))
            command = [sys.executable, "-c", LOAD, str(tmp_path), warehouse.uri]
            with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, text=True) as loader:
                assert loader.stdout is not None
                assert loader.stdout.readline() == "begun\n"
                time.sleep(chance.uniform(0.05, 1.0))
                killed += loader.poll() is None
                loader.kill()
            if killed == KILLS:
                break
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert killed == KILLS
    assert set(seen) <= {(3_000, 30_000, 30_000), (4_000, 40_000, 80_000)}
    assert len(seen) > KILLS
    load(lake, SHOP)
    assert differences(lake) == []
