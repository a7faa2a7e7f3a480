"""Tests of the lake: one file a behaviour, in the same folders as the package."""
