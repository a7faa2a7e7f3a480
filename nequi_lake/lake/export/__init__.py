"""Rows that leave the lake as files, for other tools."""
