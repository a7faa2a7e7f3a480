"""A declaration is drafted from files of any kind, and reads every record of them; what only people know is TODO."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from nequi_lake.datasets.spec import Reference
from nequi_lake.drafting.columns import Drafted, draft_column
from nequi_lake.drafting.draft import draft, names_for
from nequi_lake.drafting.values import store, value_queries
from nequi_lake.errors import DeclarationError, UsageError
from nequi_lake.formats import CsvFile
from nequi_lake.lake.read.reader import Lake
from nequi_lake.lake.settings import Settings
from nequi_lake_tests.conftest import Shell, released
from nequi_lake_tests.drafting.drafted import Draft, tried, types_of, written

DAYS = [f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]


def column(values: Sequence[object], folder: Path, dtype: pl.DataType | None = None, name: str = "x") -> Drafted:
    """What is proposed for a column of these raw values, which are texts by default."""
    dtype = dtype or pl.String()
    stored = store([pl.LazyFrame({"x": pl.Series(values, dtype=dtype)})], {"x": pl.col("x")}, folder / "values", 10)
    with value_queries(folder) as queries:
        return draft_column(name, dtype, queries.count(stored, "x", dtype))


def test_an_export_of_a_spanish_desktop(declared: Draft, tmp_path: Path) -> None:
    rows = [f"{n};{d[8:]}/{d[5:7]}/{d[:4]};Medellín;{n}.234,5{n % 10};sí" for n, d in enumerate(DAYS, 1)]
    rows[7] = "8;15/08/2024;Bogotá;;no"
    text = "\r\n".join(["Ventas del año", "", "Número;Fecha;Ciudad;Valor;Pagó", *rows, "Total;336", ""])
    written(tmp_path / "ventas", "ventas.csv", text.encode("cp1252"))
    dataset = declared("ventas")
    (file,) = dataset.files
    assert isinstance(file, CsvFile)
    assert (file.separator, file.encoding, file.skip_lines, file.footer_lines) == (";", "cp1252", 2, 1)
    assert types_of(dataset, "ventas") == {
        "numero": ("Int64", None),
        "fecha": ("Date", "%d/%m/%Y"),
        "ciudad": ("String", None),
        "valor": ("Decimal(precision=18, scale=2)", "1.234,56"),
        "pago": ("Boolean", "si,sí/no"),
    }
    assert [column.name for column in dataset.table("ventas").columns.values() if column.is_key] == ["numero"]
    trial = tried(dataset, tmp_path / "ventas")
    assert trial.would_publish
    assert (trial.rows, trial.broken) == ({"ventas": 336}, ())


def test_several_files_with_references_and_keys_of_two_columns(declared: Draft, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    written(folder, "orders.csv", "order_id,client_id\n" + "".join(f"a{n},{100 + n % 40}\n" for n in range(90)))
    written(
        folder, "items.csv", "order_id,line,price\n" + "".join(f"a{n},{k},{n}.5\n" for n in range(90) for k in (1, 2))
    )
    written(folder, "clients.csv", "client_id,name\n" + "".join(f"{100 + n},N{n}\n" for n in range(40)))
    dataset = declared("shop")
    assert [table.name for table in dataset.tables] == ["clients", "orders", "items"]
    assert dataset.table("items").foreign_keys == (Reference(("order_id",), "orders"),)
    assert dataset.table("orders").foreign_keys == (Reference(("client_id",), "clients"),)
    assert dataset.table("items").key == ("order_id", "line")
    assert tried(dataset, folder).rows == {"clients": 40, "orders": 90, "items": 180}


def test_a_json_array_with_lists(declared: Draft, tmp_path: Path) -> None:
    found = [{"id": n, "dep": f"D{n}", "towns": ["a", "b"], "at": {"lat": n / 7, "more": None}} for n in range(12)]
    written(tmp_path / "country", "country.json", json.dumps(found, indent=2))
    dataset = declared("country")
    assert types_of(dataset, "country")["towns"] == ("List(String)", None)
    assert types_of(dataset, "country")["at_lat"] == ("Float64", None)
    assert tried(dataset, tmp_path / "country").rows == {"country": 12}


def test_keys_that_some_objects_lack_are_optional_and_values_of_no_one_type_are_texts(
    declared: Draft, tmp_path: Path
) -> None:
    found = [
        {
            "id": n,
            "at": {"city": "a", **({"zip": "1"} if n % 2 else {})},
            "meta": [1, "x", {"a": 1}][n % 3],
            "dy": n,
            "items": [{"sku": "s", **({"price": n / 4} if n % 2 else {})}],
            **({"phone": "5"} if n % 3 else {}),
        }
        for n in range(60)
    ]
    written(tmp_path / "shops", "shops.json", "".join(json.dumps(one) + "\n" for one in found))
    dataset = declared("shops")
    (file,) = dataset.files
    assert dict(file.declared())["optional"] == ("at.zip", "items.price", "phone")
    assert dict(file.declared())["as_text"] == ("meta",)
    # Under their own names these would hide what the columns below them are declared with.
    assert {"meta_", "dy_"} <= dataset.table("shops").columns.keys()
    assert tried(dataset, tmp_path / "shops").rows == {"shops": 60}


def test_lists_that_some_records_lack_and_texts_with_spaces_around_them(declared: Draft, tmp_path: Path) -> None:
    found = [{"id": n, "term": f" {36 + n % 2 * 24} months", "tags": ["a"] if n % 5 else None} for n in range(40)]
    written(tmp_path / "loans", "loans.json", "".join(json.dumps(each) + "\n" for each in found))
    dataset = declared("loans")
    assert dataset.table("loans").columns["tags"].null_limit == 0.22
    # A set of values without the spaces would refuse every record.
    assert dataset.table("loans").columns["term"].constraint_texts == ()
    module = (tmp_path / "datasets" / "loans.py").read_text()
    assert "# 40 values have spaces around them, which are a part of them" in module
    assert tried(dataset, tmp_path / "loans").would_publish


def test_whole_numbers_that_are_among_a_key_by_chance_refer_to_nothing(declared: Draft, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    written(folder, "sales.csv", "sale,town\n" + "".join(f"{n},t{n % 30}\n" for n in range(60)))
    written(folder, "towns.csv", "town,people\n" + "".join(f"t{n},{n}\n" for n in range(30)))
    dataset = declared("shop")
    assert dataset.table("towns").foreign_keys == ()
    assert dataset.table("sales").foreign_keys == (Reference(("town",), "towns"),)


def test_where_nothing_tells_records_apart_their_number_does(declared: Draft, tmp_path: Path) -> None:
    written(tmp_path / "bank", "bank.csv", '"age";"job";"y"\n' + '58;"management";"no"\n31;"none";"yes"\n' * 20)
    dataset = declared("bank")
    assert dataset.table("bank").key == ("record_number",)
    assert dataset.table("bank").columns["record_number"].source == "__record"
    assert tried(dataset, tmp_path / "bank").rows == {"bank": 40}
    # A value set where each value is frequent, and the words for yes and no.
    assert "must be one of management, none" in dataset.table("bank").columns["job"].constraint_texts
    assert types_of(dataset, "bank")["y"] == ("Boolean", "yes/no")


def test_a_draft_is_tried_and_not_run(declared: Draft, tmp_path: Path) -> None:
    written(tmp_path / "towns", "towns.csv", "town,people\na,1\nb,2\n")
    dataset = declared("towns")
    settings = Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(tmp_path)})
    with pytest.raises(DeclarationError, match="is a draft, with TODO for use_case, the description of towns"):
        released(Lake(settings, {"towns": dataset}), "towns")
    assert tried(dataset, tmp_path / "towns").would_publish


def test_a_trial_says_what_does_not_fit(declared: Draft, tmp_path: Path) -> None:
    written(tmp_path / "towns", "towns.csv", "town,people\n" + "".join(f"t{n},{n}\n" for n in range(300)))
    dataset = declared("towns")
    path = written(tmp_path / "towns", "towns.csv", "town,people\n" + "".join(f"t{n},{n}x\n" for n in range(300)))
    trial = tried(dataset, path)
    assert not trial.would_publish
    (rule,) = trial.broken
    assert (rule.table, rule.records, rule.line, rule.example) == ("towns", 300, 2, '"0x"')
    assert [check.name for check in trial.checks if check.refuses] == ["quarantine_limit"]


@pytest.mark.parametrize(
    ("values", "dtype", "written_as"),
    [
        (["1", "2", "+3"], "Int64", None),
        (["007", "010"], "String", None),
        (["1.5", "2.25"], "Float64", None),
        (["1.50", "2.25"], "Decimal(precision=18, scale=2)", None),
        (["1.123456", "2"], "Float64", None),
        (["1e5", "2"], "Float64", None),
        (["$1,234.50", "$2.00"], "Decimal(precision=18, scale=2)", "$1,234.56"),
        (["$1.5", "$2"], "Decimal(precision=18, scale=2)", "$1,234.56"),
        (["12,5", "1,25"], "Float64", "1234,56"),
        (["12,50", "1,25"], "Decimal(precision=18, scale=2)", "1234,56"),
        (["1,234", "12"], "Int64", "1,234.56"),
        (["98%", "12.5%"], "Float64", "98%"),
        (["(98.10)", "1.00"], "Decimal(precision=18, scale=2)", "(1,234.56)"),
        (["Y", "n"], "Boolean", "y/n"),
        (["True", "false"], "Boolean", None),
        (["2024-01-02", "2024-12-31"], "Date", None),
        (["20240102", "20241231"], "Date", "%Y%m%d"),
        (["31/12/2024", "01/02/2024"], "Date", "%d/%m/%Y"),
        (["12/31/2024", "01/02/2024"], "Date", "%m/%d/%Y"),
        (["2024-01-02 03:04:05", "2024-01-02 03:04:06"], "Datetime(time_unit='us', time_zone=None)", None),
        (["2024-01-02T03:04:05.123Z"], "Datetime(time_unit='us', time_zone='UTC')", None),
        (["31/12/2024 23:59", "01/02/2024 00:00"], "Datetime(time_unit='us', time_zone=None)", "%d/%m/%Y %H:%M"),
        (["1672531200000", "1672534800000"], "Datetime(time_unit='us', time_zone=None)", "epoch ms"),
        (["9223372036854775808", "1"], "Decimal(precision=38, scale=0)", None),
        (["AB-1", "2"], "String", None),
    ],
)
def test_the_type_and_style_that_read_every_value(
    values: list[str], dtype: str, written_as: str | None, tmp_path: Path
) -> None:
    found = column(values * 3, tmp_path)
    assert (str(found.dtype), found.format) == (dtype, written_as)
    assert found.unread == (0, ())


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("amount", "Decimal(precision=18, scale=4)"),
        ("oldbalanceOrg", "Decimal(precision=18, scale=4)"),
        ("Valor a pagar", "Decimal(precision=18, scale=4)"),
        ("UnitPrice", "Decimal(precision=18, scale=4)"),
        ("rate", "Float64"),
        ("valoracion", "Float64"),
        ("coffee", "Float64"),
    ],
)
def test_numbers_of_few_decimals_are_exact_where_their_name_is_that_of_money(
    name: str, dtype: str, tmp_path: Path
) -> None:
    assert str(column(["1.5", "2.125", "3.0625"], tmp_path, name=name).dtype) == dtype


def test_few_values_that_do_not_fit_are_named(tmp_path: Path) -> None:
    found = column([*map(str, range(200)), "n/a"], tmp_path)
    assert (str(found.dtype), found.unread) == ("Int64", (1, ("n/a",)))


def test_a_date_of_which_day_and_month_are_uncertain_says_so(tmp_path: Path) -> None:
    found = column(["01/02/2024", "03/04/2024"], tmp_path)
    assert found.note == "every value can be read as %m/%d/%Y too"


def test_names_of_columns() -> None:
    assert list(names_for(["Año", "Unit Price", "unitPrice", "2nd", "class", "", "a.b"]).values()) == [
        "ano", "unit_price", "unit_price_2", "c_2nd", "class_", "c", "a_b",
    ]  # fmt: skip


def test_five_lines_a_column_at_most(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow([f"column {n}" for n in range(100)])
        rows.writerows([[f"v{n % 3}" if k % 2 else str(n * k) for k in range(100)] for n in range(60)])
    text = draft("wide", [path], {})
    assert text.count("\n") <= 3 * 100


def test_a_module_of_several_tables_has_five_lines_a_column_at_most(tmp_path: Path) -> None:
    paths = []
    for table in ("customer", "order", "item"):
        whats = ("id", "zip_code_prefix", "approved_at", "description_length", "city", "weight", "status", "remarks")
        rows = [f"{table}{n},{n:05},{DAYS[n % 336]},{n % 7},{'' if n % 9 else 'x'},{n},{n},{n}" for n in range(40)]
        text = "\n".join((",".join(f"{table}_{what}" for what in whats), *rows))
        paths.append(written(tmp_path, f"{table}s_dataset.csv", text))
    module = draft("shop", paths, {})
    assert module.count("\n") <= 5 * 24
    assert max(map(len, module.splitlines())) <= 120


def test_parts_of_one_table_share_their_columns(declared: Draft, tmp_path: Path) -> None:
    columns = [f"measured_value_{number}" for number in range(9)]
    for month in (1, 2):
        rows = "".join(f"2024-0{month}-{day:02},{','.join(['1.5'] * 9)}\n" for day in range(1, 29))
        written(tmp_path / "rates", f"rates-2024-0{month}.csv", f"day,{','.join(columns)}\n{rows}")
    dataset = declared("rates")
    assert (tmp_path / "datasets" / "rates.py").read_text().count('"measured_value_8"') == 2
    assert [file.field_paths for file in dataset.files] == [("day", *columns)] * 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"<html><body>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"a,a\n1,2\n", "the header has a twice"),
    ],
)
def test_what_cannot_be_drafted_says_why(content: bytes, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, "some.csv", content)
    with pytest.raises(UsageError, match=words):
        draft("some", [path], {})


SALES = 'day,words,price,note\n1,"Fly rod, light",5,\n2,"8\'9"" long, they say",6,\n'


@pytest.mark.parametrize(
    ("old", "new", "damaged"),
    [("", "", 0), ("1,", "1", 1), ("5,", "5,,", 1), ("5,", '5",', 1), ('1,"', '1"', 1), (',"8', '"8', 1)],
)
def test_a_fault_in_a_tiny_file_is_no_other_dialect(old: str, new: str, damaged: int, tmp_path: Path) -> None:
    path = written(tmp_path, "sales.csv", SALES.replace(old, new, 1))
    module = draft("sales", [path], {})
    assert 'columns=("day", "words", "price", "note"))' in module
    assert ("1 of 2 records cannot be read" in module) == bool(damaged)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SALES.replace("price", "pri,ce"), "the lines above line 2 have values too, but not as many"),
        (f"{SALES}day,words,price,note,more\n1,a,5,,x\n2,b,6,,y\n3,c,7,,z\n", "the lines above line 4 have values too"),
        ("a;b;c\n1;2\n", "no separator and quote give most of its lines"),
        ('a,b,c\n1,"x, y,3\n', "no separator and quote give most of its lines"),
    ],
)  # fmt: skip
def test_a_tiny_file_that_may_be_read_in_several_ways_is_refused(content: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, "sales.csv", content)
    with pytest.raises(UsageError, match=words):
        draft("sales", [path], {})


def test_the_command_line(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "data", "towns.csv", "town,people\na,1\nb,2\n")
    words = written(tmp_path, "words.csv", "column,meaning\ntown,Name of the town.\n")
    (tmp_path / "datasets").mkdir()
    module = tmp_path / "datasets" / "towns.py"
    code, _, said = shell("draft", "towns", str(path), "--dictionary", str(words), "--output", str(module))
    assert code == 0, said
    assert 'description="Name of the town."' in module.read_text()
    monkeypatch.setenv("NEQUI_LAKE_DATASETS", str(tmp_path / "datasets"))
    code, _, said = shell("try", "towns", str(path))
    assert (code, "towns.towns: 2 rows" in said) == (0, True), said
    path.write_text("town,people\na,1\na,2\nc,x\n")
    code, _, said = shell("try", "towns", str(path.parent))
    assert (code, "A run would publish nothing" in said) == (1, True)
    code, _, said = shell("try", "towns", str(path), "--first", "2")
    assert (code, "towns.towns: 1 rows" in said) == (0, True), said
    code, _, said = shell("draft", "towns", str(path), "--output", str(module))
    assert (code, "there already" in said) == (2, True)
