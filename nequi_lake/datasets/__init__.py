"""WHAT the lake holds: the words of declarations, and three datasets. No IO and no Dagster in this package.

A dataset's module defines ``DATASET``. ``lake/declared.py`` finds it, here and outside of the package.
"""
