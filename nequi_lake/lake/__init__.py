"""WHERE TO: the lake's zones, its catalog, and how it is read. Knows files and tables; no Dagster, no engine."""
