"""Some random cases of each kind; ``make fuzz`` tries more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nequi_lake_tests.fuzz.kinds import KINDS

EXAMPLES = 8


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("damaged")])
def test_random_cases_are_as_their_model_says(kind: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def every_case(data: st.DataObject) -> None:
        KINDS[kind].check(data.draw(KINDS[kind].cases))

    every_case()
