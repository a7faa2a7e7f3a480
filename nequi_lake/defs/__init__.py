"""The Dagster layer: assets, checks, IO managers, jobs and schedules, each made from a dataset's declaration.

With ``nequi_lake.definitions`` the only place that imports Dagster. No dataset is named here.
"""
