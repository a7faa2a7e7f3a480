"""The package of the page on datasets, built and installed into an environment of its own: an entry point is enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from nequi_lake_tests.documents import DOCS, only_block

PAGE = DOCS / "add-a-dataset.md"


def write_package(folder: Path) -> None:
    """The page's package: a table's module, a mart with its query, and the entry point."""
    package = folder / "card_sales"
    package.mkdir(parents=True)
    declared = only_block(PAGE, "python", "DATASET = Dataset(")
    declared = declared.replace("\n\n\nclass Merchants", "\n\nfrom .marts import MARTS\n\n\nclass Merchants", 1)
    (package / "__init__.py").write_text(f"{declared.rstrip().removesuffix(')')}    marts=MARTS,\n)\n")
    (package / "marts.py").write_text(only_block(PAGE, "python", "MARTS = "))
    (package / "city_sales.sql").write_text(only_block(PAGE, "sql", "SELECT"))
    (folder / "pyproject.toml").write_text(only_block(PAGE, "toml", "entry-points"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the package, and all that the tests' own has."""
    root = tmp_path_factory.mktemp("installed")
    write_package(root / "source")
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(root), str(root / "source")]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = root.glob("*.whl")
    venv.create(root / "env", symlinks=True)
    python = root / "env" / "bin" / "python"
    of_tests, own = sysconfig.get_path("purelib"), sysconfig.get_path("purelib", vars={"base": str(root / "env")})
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", own, str(wheel)], check=True, capture_output=True)
    Path(own, "all.pth").write_text(f"import site; site.addsitedir({of_tests!r})\n")
    return python


@pytest.mark.long
def test_an_installed_package_is_run_and_read_like_the_lakes_own(environment: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox" / "card_sales"
    inbox.mkdir(parents=True)
    (inbox / "sales.csv").write_text(only_block(PAGE, "csv", "sale_id"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEQUI_LAKE_", "DAGSTER_"))}
    variables = {**kept, "NEQUI_LAKE_SOURCE": str(tmp_path / "inbox"), "NEQUI_LAKE_BUILT_IN": "off"}

    def python(*arguments: str) -> str:
        ran = subprocess.run(
            [environment, *arguments], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    command = ("-c", "from nequi_lake.cli import program; program()")
    python(*command, "run")
    query = "SELECT city, sales FROM card_sales.city_sales ORDER BY city"
    expected = [{"city": "Cali, Valle", "sales": 1}, {"city": "Medellín", "sales": 2}]
    assert json.loads(python(*command, "sql", query, "--format", "json")) == expected
    read = "import json; from nequi_lake import Lake; lake = Lake('lake'); "
    read += "print(json.dumps([list(lake), lake.card_sales.city_sales.to_arrow().sort_by('city').to_pylist()]))"
    assert json.loads(python("-c", read)) == [["card_sales"], expected]
    (declared,) = [
        row for row in json.loads(python(*command, "doctor", "--format", "json")) if row["check"] == "declarations"
    ]
    assert declared["passed"]


@pytest.mark.long
def test_a_folder_that_declares_it_too_is_refused_with_both_places(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "card_sales.py").write_text(only_block(PAGE, "python", "DATASET = Dataset("))
    script = (
        "import json; from nequi_lake.lake.declared import declarations, Settings; "
        f"broken = declarations(Settings.from_env({{'NEQUI_LAKE_DATASETS': {str(tmp_path)!r}}})).broken; "
        "print(json.dumps({name: error.where for name, error in broken.items()}))"
    )
    broken = json.loads(subprocess.run([environment, "-c", script], capture_output=True, text=True, check=True).stdout)
    entry = "the entry point card_sales = card_sales of the package card-sales 1.0"
    assert broken == {"card_sales": f"{entry}; {tmp_path}/card_sales.py"}
