"""What a run can make now: which of the datasets have a source that can be asked and has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nequi_lake.cli.doctor import check_access, examine_surroundings, no_delivery
from nequi_lake.cli.show import print_error, say
from nequi_lake.datasets.spec import Dataset
from nequi_lake.errors import UsageError
from nequi_lake.lake.check import Check
from nequi_lake.lake.read.reader import Lake
from nequi_lake.sources import Sources


@dataclass(frozen=True)
class Ready:
    """What a run can make now.

    Attributes:
        datasets: names of the datasets.
        is_all: whether every source could be asked.
    """

    datasets: Sequence[str]
    is_all: bool


def get_ready(lake: Lake, sources: Sources, selected: Sequence[Dataset], *, by_name: bool) -> Ready:
    """Look which of the datasets can be made, and say which are left out and why.

    Args:
        lake: where they go.
        sources: where they come from.
        selected: the datasets.
        by_name: whether a person named them, so that none may be left out.

    Raises:
        UsageError: nothing can be made, or not all that a person named.
    """
    places = sources.places(selected)
    closed = {place: check for place in places if not (check := check_access(place, sources)).passed}
    failed = [check for check in examine_surroundings(lake) if not check.passed]
    if by_name or len(closed) == len(places):
        failed += closed.values()
    if failed:
        raise _error(failed[0])
    for check in closed.values():
        print_error(str(_error(check)), debug=False)
    reachable = [dataset for place, those in places.items() if place not in closed for dataset in those]
    say(f"Lake {lake.settings.uri}, filled from {_described(sources, reachable)}")
    there = [dataset for dataset in reachable if sources.of(dataset).offers(dataset)]
    missing = [dataset for dataset in reachable if dataset not in there]
    if missing and (by_name or not there):
        raise no_delivery(missing, sources)
    if missing:
        say(f"Not in this source, left as it is: {', '.join(dataset.name for dataset in missing)}")
    return Ready([dataset.name for dataset in there], is_all=not closed)


def _error(check: Check) -> UsageError:
    return UsageError(check.found, where=check.subject, fix=check.fix)


def _described(sources: Sources, datasets: Sequence[Dataset]) -> str:
    """The sources of datasets for people: the one, or which of them comes from which."""
    described = {sources.at(place).describe(): those for place, those in sources.places(datasets).items()}
    if len(described) == 1:
        return next(iter(described))
    return "; ".join(f"{where} ({', '.join(dataset.name for dataset in those)})" for where, those in described.items())
