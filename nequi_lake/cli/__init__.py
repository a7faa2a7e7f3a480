"""The command line, ``nequi-lake``: a thin layer over what the package offers, one module a group of commands."""

from nequi_lake.cli.entry import app, main, program

__all__ = ["app", "main", "program"]
