"""The kinds of cases: how each is made at random, and what must be so of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from nequi_lake_tests.fuzz import archives, cases, deliveries, dialects, drafts, long_records, sessions, typed


class Kind(NamedTuple):
    """A kind of cases.

    Attributes:
        cases: makes them.
        check: raises an AssertionError where something is not as it must be.
    """

    cases: st.SearchStrategy[Any]
    check: Callable[[Any], None]


KINDS: Mapping[str, Kind] = {
    "damaged file": Kind(cases.CASES, cases.is_refused_or_accounted_for),
    "damaged zip": Kind(
        st.tuples(cases.CASES, st.booleans()), lambda case: cases.a_zip_is_refused_or_gives_what_was_put_in(*case)
    ),
    "odd zip": Kind(archives.ARCHIVES, archives.is_refused_or_whole),
    "delivery": Kind(deliveries.DELIVERIES, deliveries.is_read_named_or_refused),
    "value in CSV": Kind(typed.TEXTS, typed.is_read_as_documented),
    "value in JSON": Kind(typed.JSON_TEXTS, typed.is_read_from_json_as_documented),
    "session": Kind(sessions.MOTORS, sessions.keeps_sessions_and_places),
    "file in any dialect": Kind(
        st.tuples(dialects.files(), st.sampled_from(sorted(dialects.PACK))),
        lambda case: dialects.is_read_as_it_is_declared(*case),
    ),
    "draft": Kind(drafts.files(), drafts.is_drafted_right_or_marked),
    "long record": Kind(long_records.RECORDS, long_records.is_whole_or_put_aside),
}
