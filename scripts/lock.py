"""Writes requirements/: every version that is installed, with the hashes of its files. Run it with `make lock`.

The versions are those of constraints.txt, where it has them. With --upgrade they are the newest that pyproject.toml
allows, and constraints.txt is written too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
LEVELS = {
    "run": (),
    "dev": ("ui",),
    "image": ("ui", "aws", "kaggle", "postgres", "service", "warehouse", "workbooks"),
    "test": ("ui", "aws", "kaggle", "postgres", "service", "warehouse", "workbooks", "examples", "dev"),
}
"""The environments of the project and their extras. Each has what the one before has, and its file begins with that."""
BUILD = "pip\nsetuptools\n"
"""What installs and builds the package itself; in every environment."""
ALONE = {
    "uv": "uv==0.13.9",
    "checkov": "checkov==3.3.30",
    "pip-audit": "pip-audit==2.10.1",
    "airflow": "apache-airflow==3.3.2",
    "dbt": "dbt-core==1.11.16\ndbt-postgres==1.11.0",
}
"""Programs in environments of their own, as their pins would get in the way of the project's."""

Blocks = dict[str, str]
"""Packages by name: the line with the version, and those with the hashes."""


def resolve(requirements: str, *options: str, near: str = "") -> Blocks:
    """The packages of some requirements and of all that they need, on every Python and system that the project knows.

    Args:
        requirements: one per line.
        options: more options and files of ``uv pip compile``.
        near: the file in requirements/ whose versions stay where they can.
    """
    uv = ROOT / ".venv" / "bin" / "uv"
    with TemporaryDirectory() as folder:
        written = Path(folder, "requirements.txt")
        if near and (kept := ROOT / "requirements" / f"{near}.txt").exists():
            written.write_bytes(kept.read_bytes())
        form = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
        subprocess.run(  # noqa: S603
            [uv, "pip", "compile", "--quiet", *form, "--output-file", written, *options, "-"],
            cwd=ROOT,
            input=requirements.encode(),
            check=True,
        )
        text = written.read_text()
    found: Blocks = {}
    for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        # Of a package that another Python needs in another version, there are two.
        if block and " ; sys_platform == 'win32' " not in block:
            name = re.split(r"[=\[]", block)[0]
            found[name] = found.get(name, "") + block
    return found


def write(name: str, blocks: Blocks, head: str = "") -> None:
    """Write the requirements of an environment."""
    (ROOT / "requirements" / f"{name}.txt").write_text(head + "".join(blocks[package] for package in sorted(blocks)))


def main() -> None:
    """Write all files of requirements/, and constraints.txt where versions are to be newer."""
    for name, requirement in ALONE.items():
        write(name, resolve(requirement, near=name))
    if sys.argv[1:] == ["--upgrade"]:
        newest = resolve(BUILD, "--all-extras", "pyproject.toml") | resolve(ALONE["uv"])
        CONSTRAINTS.write_text("".join(sorted(block.split()[0] + "\n" for block in newest.values())))
    pinned = ("--constraint", str(CONSTRAINTS), "pyproject.toml")
    everything = resolve(BUILD, "--all-extras", *pinned)
    before: set[str] = set()
    head = ""
    for level, extras in LEVELS.items():
        needed = set(resolve(BUILD, *(option for extra in extras for option in ("--extra", extra)), *pinned))
        write(level, {name: everything[name] for name in needed - before}, head)
        before, head = needed, f"-r {level}.txt\n"


if __name__ == "__main__":
    main()
