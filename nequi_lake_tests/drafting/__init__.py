"""Tests of drafting declarations."""
