"""Runs of the lake that are killed while others read it."""
