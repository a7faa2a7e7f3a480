"""The verbs of the lake as plain functions: fetch, stage, audit, publish, make a mart, report. No Dagster.

The Dagster layer, the command line, tests and benchmarks call the same functions.
"""
