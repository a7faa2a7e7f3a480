"""Builds the package with the templates of infra/. All else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithTemplates(build_py):
    """Puts the templates of infra/ into the package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "nequi_lake", "infra")
            target.mkdir(parents=True, exist_ok=True)
            for name in ("lake.yaml", "service.yaml"):
                shutil.copyfile(Path("infra", name), target / name)


setup(cmdclass={"build_py": BuildWithTemplates})
