"""A report of every table with skrub's TableReport, without the associations between columns, which no other has."""

from pathlib import Path

from skrub import TableReport

from benchmarks.clock import part
from benchmarks.peers.frames import frame_of
from benchmarks.peers.task import Task, given


def main(task: Task) -> None:
    Path(task["out"]).mkdir(parents=True)
    for name, files in task["files"].items():
        report = TableReport(frame_of(files), title=name, compute_associations=False, verbose=0)
        report.write_html(f"{task['out']}/{name}.html")


if __name__ == "__main__":
    with part("profile"):
        main(given())
