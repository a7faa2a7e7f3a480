"""A limit on a share is counted in whole things."""

from __future__ import annotations

import pytest

from nequi_lake.formats import ShareLimit


@pytest.mark.parametrize(("share", "bad"), [(0.29, 29), (0.57, 57), (0.58, 58)])
def test_a_limit_that_is_met_exactly_is_met(share: float, bad: int) -> None:
    assert ShareLimit(share).is_kept(bad, 100)
    assert not ShareLimit(share).is_kept(bad + 1, 100)


def test_one_may_be_bad_where_the_share_of_a_few_is_less_than_one() -> None:
    assert ShareLimit(0.01).is_kept(1, 20)
    assert not ShareLimit(0.01).is_kept(2, 20)
    assert ShareLimit(0.01, floor=3).is_kept(3, 20)
    assert ShareLimit(0.01).words(20) == "at most 1 may be (1%)"


def test_a_share_of_nothing_allows_none() -> None:
    assert not ShareLimit(0.0).is_kept(1, 10**6)
    assert ShareLimit(0.0).is_kept(0, 0)


def test_all_may_be_bad_only_where_the_share_says_so() -> None:
    assert not ShareLimit(0.99).is_kept(1, 1)
    assert not ShareLimit(0.01, floor=5).is_kept(3, 3)
    assert ShareLimit(1.0).is_kept(3, 3)
