"""The one Definitions object, of the lake that the environment names: what Dagster loads."""

from nequi_lake.defs.build import build

defs = build()
