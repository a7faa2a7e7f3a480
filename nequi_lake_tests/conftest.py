"""Small lakes and small raw files for the tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import nequi_lake.datasets
from nequi_lake import Lake
from nequi_lake.cli import main
from nequi_lake.datasets.spec import Dataset
from nequi_lake.defs.build import build
from nequi_lake.lake.declared import discover
from nequi_lake.lake.settings import Settings
from nequi_lake.lake.storage import StorageBackend, open_storage
from nequi_lake.pipeline.fetch import fetch_and_keep
from nequi_lake.pipeline.tables import publish_tables
from nequi_lake.sources import Sources

pytest_plugins = ["nequi_lake_tests.aws", "nequi_lake_tests.datasets.outside", "nequi_lake_tests.postgres"]

MOTOR_FILE = "measures_v2.csv"
MOTOR_HEADER = (
    "u_q,coolant,stator_winding,u_d,stator_tooth,motor_speed,i_d,i_q,pm,stator_yoke,ambient,torque,profile_id"
)


class Shell:
    """Runs commands in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._monkeypatch.setattr(sys, "argv", ["nequi-lake", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        out, err = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, out, err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line."""
    return Shell(monkeypatch, capsys)


@pytest.fixture(scope="session")
def datasets() -> Mapping[str, Dataset]:
    """The declared datasets by name."""
    return discover()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder for a folder source, filled with sound files: 2 motor sessions of 6 and 4, 5 citations of 3 papers."""
    folder = tmp_path / "inbox"
    write_motor(folder, motor_rows(17, 6) + motor_rows(4, 4))
    write_citations(folder, "train", [citation(1), citation(1, tgt="again"), citation(2)])
    write_citations(folder, "validation", [citation(3, journal=None, fields=["Art", "History"])])
    write_citations(folder, "test", [citation(2, tgt="once more")])
    return folder


@pytest.fixture
def settings(tmp_path: Path, inbox: Path) -> Settings:
    """A lake in a temporary folder, filled from the inbox."""
    return Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake"), "NEQUI_LAKE_SOURCE": str(inbox)})


@pytest.fixture
def storage(tmp_path: Path) -> StorageBackend:
    """The storage of an empty lake in a temporary folder."""
    return open_storage(Settings.from_env({"NEQUI_LAKE_URI": str(tmp_path / "lake")}))


@pytest.fixture
def lake(settings: Settings) -> Lake:
    """The lake of ``settings``, for reading."""
    return Lake(settings, only("electric_motor", "cite_sum"))


Materialize = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def materialize(settings: Settings) -> Materialize:
    """Materialize datasets of the lake, or some keys of them, in this process: a run that may fail."""

    def run(
        *names: str,
        keys: Iterable[str] = (),
        instance: dg.DagsterInstance | None = None,
        datasets: Mapping[str, Dataset] | None = None,
    ) -> dg.ExecuteInProcessResult:
        part = datasets or only(*(names or ("electric_motor", "cite_sum")))
        job = build(settings, part).resolve_job_def("lake")
        selection = [dg.AssetKey(key.split("/")) for key in keys] or None
        return job.execute_in_process(
            instance=instance,
            asset_selection=selection,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    return run


def released(lake: Lake, name: str) -> str:
    """Fetch and publish a dataset as a run does, but without Dagster, marts and reports, in a tenth of the time.

    Gives the release's id.
    """
    dataset = lake.datasets[name]
    fetch_and_keep(lake, dataset, Sources(lake.settings).of(dataset))
    (release,) = {table.release.id for table in publish_tables(lake, dataset, "test").values()}
    return release


def only(*names: str, marts: bool = False) -> Mapping[str, Dataset]:
    """Those of the declared datasets; without their marts, unless they are asked for, as most tests need none."""
    found = {name: dataset for name, dataset in discover().items() if name in names}
    return found if marts else {name: replace(dataset, marts=()) for name, dataset in found.items()}


@contextmanager
def declared(folder: Path, **modules: str) -> Iterator[None]:
    """Modules of these texts beside the datasets' own while the block runs, as if someone had just added them."""
    package = nequi_lake.datasets
    folder.mkdir(parents=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "__path__", [*package.__path__, str(folder)])
        try:
            yield
        finally:
            for name in modules:
                sys.modules.pop(f"{package.__name__}.{name}", None)
                vars(package).pop(name, None)


def motor_rows(profile: int, count: int, **values: str) -> list[str]:
    """Sound CSV records of a motor session; ``values`` sets columns of all of them."""
    names = MOTOR_HEADER.split(",")
    rows = []
    for number in range(count):
        cells = {name: f"{number % 50 + position / 8}" for position, name in enumerate(names)}
        cells.update(values, profile_id=values.get("profile_id", str(profile)))
        rows.append(",".join(cells[name] for name in names))
    return rows


def write_motor(folder: Path, rows: Iterable[str], header: str = MOTOR_HEADER) -> Path:
    """Write the motor's raw file into a folder source."""
    path = folder / "electric_motor" / MOTOR_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in (header, *rows)))
    return path


def citation(paper: int, **changes: Any) -> dict[str, Any]:
    """A sound record of CiteSum; ``fields`` and ``journal`` are of its discipline, other changes of its keys."""
    fields = changes.pop("fields", ["Computer Science"])
    journal = changes.pop("journal", "Nature")
    record = {
        "src": f"Abstract of paper {paper}.",
        "tgt": f"REF says what paper {paper} says.",
        "paper_id": str(paper),
        "title": f"Paper {paper}",
        "discipline": {"venue": "ArXiv", "journal": journal, "mag_field_of_study": fields},
    }
    return {**record, **changes}


def write_citations(folder: Path, split: str, records: Iterable[dict[str, Any]]) -> Path:
    """Write a split of CiteSum into a folder source."""
    path = folder / "cite_sum" / f"{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return path


def failures(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps of a run say to a person."""
    found = []
    for event in result.all_node_events:
        if event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            found.append((told.description if told else None) or str(event.step_failure_data.error))
    return "\n".join(found)


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, list[str]]:
    """Asset key → names of the checks that failed in a run."""
    found: dict[str, list[str]] = {}
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.asset_check_evaluation_data.passed:
            data = event.asset_check_evaluation_data
            found.setdefault(data.asset_key.to_user_string(), []).append(data.check_name)
    return found
