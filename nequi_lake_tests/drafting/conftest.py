"""What tests of drafts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from nequi_lake_tests.drafting.drafted import Draft, drafted


@pytest.fixture
def declared(tmp_path: Path) -> Draft:
    """Drafts a dataset of the files in ``tmp_path``/<name>, and loads the module."""
    return lambda name: drafted(name, tmp_path)
