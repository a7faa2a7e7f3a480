"""Sets in the shapes in which publishers give them are published from their drafts, equal to an independent reader.

All values are made up.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.corpora.__main__ import main
from benchmarks.corpora.wild_sets import try_set

TOWNS = ("Bogotá", "Medellín", "Cali", "San Andrés", "Cúcuta")
START = dt.datetime(2023, 1, 1)
Files = dict[str, bytes]


def rows_of(make: Callable[[random.Random, int], Sequence[object]], number: int = 60) -> list[Sequence[object]]:
    chance = random.Random(7)
    return [make(chance, n) for n in range(number)]


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]], end: str = "\n", **options: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, **options).writerows([header, *rows])
    return text.getvalue()


def bank() -> Files:
    rows = rows_of(
        lambda r, n: (20 + n % 40, r.choice(["admin.", "services"]), r.randint(-500, 9000), "yes" if n % 3 else "no")
    )
    text = as_csv(("age", "job", "balance", "y"), rows, delimiter=";", quoting=csv.QUOTE_NONNUMERIC)
    return {"bank.csv": text.encode()}


def symbols() -> Files:
    rows = rows_of(
        lambda r, n: (f"S{n:03}", f'Firm {n}, Inc. - "Common" Stock', "QGS"[n % 3], "N" if n % 7 else "Y", 100)
    )
    lines = ["Symbol|Security Name|Market Category|ETF|Round Lot Size", *("|".join(map(str, row)) for row in rows)]
    return {"listed.txt": ("\r\n".join(lines) + "\r\nFile Creation Time: 0723202518:01||||\r\n").encode()}


def rates() -> Files:
    book = openpyxl.Workbook()
    for row in [["Exchange rate"], [], ["Taken from the bank"], [], ["Fecha (dd/mm/aaaa)", "Tasa (TRM)"]]:
        book.active.append(row)
    for n in range(60):
        book.active.append([START + dt.timedelta(n), 3900 + n * 1.25])
        book.active.cell(book.active.max_row, 1).number_format = "dd/mm/yyyy"
    for row in [[], ["Downloaded from the system"], ["Note: made up"]]:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return {"rates.xlsx": content.getvalue()}


def taxi() -> Files:
    zones = as_csv(("LocationID", "Borough"), [(n, TOWNS[n % 5]) for n in range(1, 41)], quoting=csv.QUOTE_ALL)
    trips = pa.table(
        {
            "pickup_datetime": pa.array([START + dt.timedelta(minutes=n // 3) for n in range(90)], pa.timestamp("us")),
            "passenger_count": pa.array([1.0, None, 2.0] * 30),
            "trip_distance": [n / 8 for n in range(90)],
            "PULocationID": [n % 40 + 1 for n in range(90)],
        }
    )
    content = io.BytesIO()
    pq.write_table(trips, content)
    return {"trips_2022-01.parquet": content.getvalue(), "zones.csv": zones.encode()}


def country() -> Files:
    found = [{"id": n, "departamento": TOWNS[n % 5], "ciudades": list(TOWNS[: n % 4])} for n in range(30)]
    return {"country.json": json.dumps(found, ensure_ascii=False, indent=1).encode()}


def candles() -> Files:
    files = {}
    for month in (1, 2):
        times = [
            int(dt.datetime(2023, month, 1, n % 24, tzinfo=dt.UTC).timestamp() * 1000) + n // 24 * 86_400_000
            for n in range(60)
        ]
        rows = [(time, f"{16000 + n}.{n:02}", n / 7, n) for n, time in enumerate(times)]
        files[f"COIN-1h-2023-0{month}.csv"] = as_csv(("open_time", "open", "volume", "count"), rows).encode()
    return files


def quakes() -> Files:
    rows = rows_of(
        lambda r, n: (
            f"{(START + dt.timedelta(hours=n, milliseconds=n * 37)).isoformat(timespec='milliseconds')}Z",
            round(r.uniform(-9, 9), 4),
            "" if n % 9 == 0 else r.randint(1, 90),
            f"us{n:05}",
            f"{n} km N of {TOWNS[n % 5]}, CO",
        )
    )
    return {"all_month.csv": as_csv(("time", "latitude", "nst", "id", "place"), rows).encode()}


def payments() -> Files:
    rows = rows_of(
        lambda r, n: (
            n // 20,
            r.choice(["CASH_OUT", "PAYMENT"]),
            f"{r.uniform(0, 9e5):.2f}",
            f"C{n * 7919}",
            int(n % 9 == 0),
        )
    )
    return {"payments.csv.gz": gzip.compress(as_csv(("step", "type", "amount", "nameOrig", "isFraud"), rows).encode())}


def shop() -> Files:
    orders = rows_of(
        lambda _, n: (
            f"{n * 7919:032x}",
            f"c{n % 25}",
            START + dt.timedelta(hours=n),
            "" if n % 5 == 0 else START + dt.timedelta(days=n),
        )
    )
    items = [(order[0], line, f"{line * 19.9:.2f}") for order in orders for line in (1, 2)]
    clients = [(f"c{n}", f"{n * 131:05}", TOWNS[n % 5]) for n in range(25)]
    return {
        "orders.csv": as_csv(
            ("order_id", "client_id", "bought_at", "delivered_at"), orders, quoting=csv.QUOTE_ALL
        ).encode(),
        "items.csv": as_csv(("order_id", "line", "price"), items).encode(),
        "clients.csv": ("\ufeff" + as_csv(("client_id", "zip", "city"), clients)).encode(),
    }


def sales() -> Files:
    rows = rows_of(
        lambda r, n: (
            f"{n % 28 + 1:02}/{n % 12 + 1:02}/2024",
            TOWNS[n % 5],
            f"{n},{r.randint(0, 99):02}",
            f"{n}.{r.randint(0, 999):03},50",
            n,
        )
    )
    text = as_csv(("Fecha", "Ciudad", "Peso", "Valor", "Número"), rows, end="\r\n", delimiter=";")
    return {"ventas.csv": ("Ventas del año\r\n\r\n" + text + "Total;60\r\n").encode("cp1252")}


SETS = (bank, symbols, country, candles, quakes, payments, shop, sales)
# Each is read by several processes.
GUARDED = (rates, taxi)


def put(make: Callable[[], Files], folder: Path) -> Path:
    folder = folder / make.__name__
    folder.mkdir(parents=True)
    for name, content in make().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "make",
    [*SETS, *(pytest.param(make, marks=pytest.mark.long) for make in GUARDED)],
    ids=lambda make: make.__name__,
)
def test_a_set_is_published_from_its_draft_as_an_independent_reader_has_it(
    make: Callable[[], Files], tmp_path: Path
) -> None:
    found = try_set(put(make, tmp_path))
    assert found.differences == {}
    assert found.rows >= 30


def test_the_table_of_sets_names_what_is_not_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(country, tmp_path / "sets")
    monkeypatch.setattr("sys.argv", ["corpora", "wild", str(tmp_path / "sets")])
    assert main() == 0
    assert capsys.readouterr().out.splitlines()[1].split()[::6] == ["country", "yes"]
    monkeypatch.setattr("benchmarks.corpora.wild_sets.read_plainly", lambda *_: iter([{"id": 1}]))
    assert main() == 1
    assert "country: 30 rows, and 1 records" in capsys.readouterr().out
