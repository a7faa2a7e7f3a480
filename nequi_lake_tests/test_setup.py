"""The set-up: what each command of the Makefile installs, and the versions it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parent.parent

UV = r"""#!/bin/sh
# A stand-in for uv: it writes down what it is asked for, and makes an environment of commands that do nothing.
echo "uv $*" >> "$LOG"
test "$1" != pip || test -z "$UV_FAILS" || exit 1
if [ "$1" = venv ]; then
    mkdir -p .venv/bin
    printf '#!/bin/sh\ncase "$*" in (*install*) echo "python $*" >> "$LOG";; (-V) echo Python 3.99;; esac\n' \
        > .venv/bin/python
    for name in nequi-lake dagster pytest; do printf '#!/bin/sh\n' > .venv/bin/$name; done
    chmod +x .venv/bin/*
fi
"""


class Checkout:
    """A clone of what sets the project up, beside a stand-in for uv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.log = folder / "log"
        (self.folder / "scripts").mkdir(parents=True)
        for name in ("Makefile", "pyproject.toml", "scripts/environment"):
            shutil.copy(ROOT / name, self.folder / name)
        shutil.copytree(ROOT / "requirements", self.folder / "requirements")
        (folder / "bin").mkdir()
        (folder / "bin" / "uv").write_text(UV)
        (folder / "bin" / "uv").chmod(0o755)
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "LOG": str(self.log),
            "HOME": str(folder),
        }

    def make(self, *arguments: str, **environment: str) -> tuple[list[str], str]:
        """Run make; what was installed by which tool, as "tool requirements", and what it said."""
        self.log.write_text("")
        done = subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = done.stdout + done.stderr
        hashed = r"^(uv|python) .*--require-hashes --requirement requirements/(\S*)\.txt$"
        asked = re.findall(hashed, self.log.read_text(), re.MULTILINE)
        return [" ".join(found) for found in asked] + ["failed"] * (done.returncode != 0), said


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_each_command_installs_what_it_needs_once(checkout: Checkout) -> None:
    installed, said = checkout.make("run")
    assert installed == ["uv run"]
    assert checkout.log.read_text().splitlines()[-1].endswith("--no-deps --no-build-isolation --editable .")
    assert "installing what `make run` needs into .venv" in said
    assert checkout.make("run")[0] == []
    assert checkout.make("dev")[0] == ["uv dev"]
    assert checkout.make("test")[0] == ["uv test"]
    for command in ("run", "dev", "test", "setup"):
        assert checkout.make(command)[0] == []
    os.utime(checkout.folder / "requirements" / "run.txt", (2**32, 2**32))
    assert checkout.make("run")[0] == ["uv run"]


def test_everything_is_enough_for_the_other_commands(checkout: Checkout) -> None:
    assert checkout.make("setup")[0] == ["uv test"]
    assert checkout.make("run")[0] == checkout.make("dev")[0] == []


def test_pip_installs_where_uv_cannot(checkout: Checkout) -> None:
    installed, said = checkout.make("run", UV_FAILS="1")
    assert installed == ["uv run", "python run"]
    assert "pip tries" in said


def test_an_environment_of_another_python_is_not_taken_silently(checkout: Checkout) -> None:
    checkout.make("run")
    installed, said = checkout.make(f"PYTHON={sys.executable}", "run")
    assert installed == ["failed"]
    assert "rm -rf .venv" in said


def test_a_python_that_is_too_old_is_named(checkout: Checkout, tmp_path: Path) -> None:
    old = tmp_path / "bin" / "python-old"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    installed, said = checkout.make("PYTHON=python-old", "run")
    assert installed == ["failed"]
    assert "Python 3.11 or newer is needed, python-old is Python 3.9.1" in said


def required(extras: set[str]) -> Iterator[NormalizedName]:
    """The distributions that the package with these extras needs on this Python, each with its own."""
    seen: set[tuple[str, str]] = set()
    waiting = [("nequi_lake", extra) for extra in {"", *extras}]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed: make setup")
        yield canonicalize_name(name)
        for line in found.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, more) for more in {"", *requirement.extras}]


def test_constraints_name_the_version_of_everything_that_is_installed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    needed = set(required(set(extras))) - {"nequi-lake"}
    assert len(needed) > 150
    assert {name: distribution(name).version for name in needed} == {name: pinned.get(name) for name in needed}


LEVELS = {
    "run": "",
    "dev": "ui",
    "image": "ui aws kaggle postgres service workbooks",
    "test": "ui aws kaggle postgres service workbooks examples dev",
}
"""The environments of the project and their extras; the file of each begins with that of the one before."""


def of_file(path: Path) -> dict[NormalizedName, tuple[Requirement, list[str]]]:
    """The requirements of one file, and of those that it begins with, each with its hashes."""
    found: dict[NormalizedName, tuple[Requirement, list[str]]] = {}
    for block in re.split(r"^(?=\S)", path.read_text(), flags=re.MULTILINE):
        if block.startswith("-r "):
            found |= of_file(path.with_name(block.split()[1]))
        elif block:
            requirement = Requirement(block.split(" \\\n")[0])
            if requirement.marker is None or requirement.marker.evaluate():
                found[canonicalize_name(requirement.name)] = requirement, re.findall(r"--hash=(\S+)", block)
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_requirements_are_all_that_an_environment_needs_in_the_versions_of_the_constraints(level: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    found = of_file(ROOT / "requirements" / f"{level}.txt")
    assert set(required(set(LEVELS[level].split()))) - {"nequi-lake"} <= set(found)
    assert {name: str(requirement.specifier) for name, (requirement, _) in found.items()} == {
        name: f"=={pinned.get(name)}" for name in found
    }


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_everything_that_is_installed_has_hashes_and_no_address(path: Path) -> None:
    assert {name for name, (_, hashes) in of_file(path).items() if not hashes} == set()
    line = r"-r \w+\.txt|[\w.-]+(\[[\w,-]+\])?==[\w.]+( ; [^@:]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
    assert [found for found in path.read_text().splitlines() if not re.fullmatch(line, found)] == []
