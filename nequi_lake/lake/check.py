"""What a check found: the value, and the record of a release's checks that is kept in the lake beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from nequi_lake.lake.layout import release_record
from nequi_lake.lake.storage import StorageBackend
from nequi_lake.lake.storage.faults import translate_error


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a check found.

    Attributes:
        name: the check, the same on every table or file.
        subject: the table ``<dataset>.<table>`` or the file ``<dataset>/<file>`` that was checked.
        passed: whether all was well.
        warns: whether the run may go on although not all was well.
        found: what it found, human-readable: the number beside its limit.
        problems: the same one by one, where several things are wrong.
        numbers: the figures.
        fix: what to do where it failed.
    """

    name: str
    subject: str
    passed: bool
    found: str
    warns: bool = False
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)
    fix: str = ""
    problems: Sequence[str] = ()

    @property
    def refuses(self) -> bool:
        """Whether nothing may be made of what was checked."""
        return not (self.passed or self.warns)

    @property
    def relation(self) -> str:
        """The name of the table or mart, without its dataset."""
        return self.subject.rpartition(".")[2]


def refusals(failed: Iterable[Check]) -> list[str]:
    """Failures in words: what failed, and what to do. What is the same of several tables is said once."""
    failing: dict[tuple[str, str], list[Check]] = {}
    for check in failed:
        for problem in check.problems or (check.found,):
            failing.setdefault((check.name, problem), []).append(check)
    same: dict[tuple[str, tuple[str, ...]], tuple[str, list[str]]] = {}
    for (name, problem), checks in failing.items():
        _, problems = same.setdefault((name, tuple(check.subject for check in checks)), (checks[0].fix, []))
        problems.append(problem)
    return [
        f"{', '.join(subjects)} {'fail' if len(subjects) > 1 else 'fails'} {name}: {'; '.join(problems)}\n"
        f"  to do: {fix}"
        for (name, subjects), (fix, problems) in same.items()
    ]


def run_check(name: str, subject: str, question: Callable[[], str | Check]) -> Check:
    """Run a check of the lake's surroundings: what it found where it passed, or a whole answer.

    An error of the storage or of AWS that the check raises is its failure.
    """
    try:
        answer = question()
    except Exception as error:
        translated = translate_error(error, subject)
        if translated is None:
            raise
        where, what, fix = translated.where or subject, translated.what, translated.fix or ""
        return Check(name=name, subject=where, passed=False, found=what, fix=fix)
    return answer if isinstance(answer, Check) else Check(name=name, subject=subject, passed=True, found=answer)


def write_record(storage: StorageBackend, dataset: str, run_id: str, checks: Iterable[Check]) -> None:
    """Record the checks of the relations that an attempt of a run staged, before its commits.

    What is recorded of the attempt's other relations stays.
    """
    path = release_record(storage, dataset, run_id)
    record = storage.find_json(path) or {}
    found: dict[str, list[dict[str, object]]] = {}
    for check in checks:
        found.setdefault(check.relation, []).append(asdict(check))
    storage.write(path, json.dumps({**record, **found}, ensure_ascii=False).encode())


def read_record(storage: StorageBackend, dataset: str, run_id: str, relation: str) -> list[Check]:
    """What the checks found of a relation; none where nothing is recorded."""
    record = storage.find_json(release_record(storage, dataset, run_id)) or {}
    return [Check(**check) for check in record.get(relation, ())]
