"""The steps of a run as plain functions, without Dagster. The Dagster layer, tests and benchmarks call the same."""
