"""A table that cannot be right is refused by a limit, early and in words, and what readers see stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nequi_lake import Lake
from nequi_lake.errors import StageError
from nequi_lake_tests.conftest import motor_rows, only, released, write_motor


def test_a_row_number_where_the_session_should_be_is_refused(lake: Lake, inbox: Path) -> None:
    before = released(lake, "electric_motor")
    rows = [row.rsplit(",", 1)[0] + f",{number}" for number, row in enumerate(motor_rows(1, 400), 1)]
    write_motor(inbox, rows)
    limited = Lake(replace(lake.settings, max_partitions=399), only("electric_motor"))
    with pytest.raises(StageError, match="measurements would have more than 399 partitions by profile_id"):
        released(limited, "electric_motor")
    assert lake.table("electric_motor.measurements").published.release.id == before
    released(Lake(replace(lake.settings, max_partitions=400), only("electric_motor")), "electric_motor")
