"""A report of every table with ydata-profiling, in its minimal mode."""

from pathlib import Path

from ydata_profiling import ProfileReport

from benchmarks.clock import part
from benchmarks.peers.frames import frame_of
from benchmarks.peers.task import Task, given


def main(task: Task) -> None:
    Path(task["out"]).mkdir(parents=True, exist_ok=True)
    for name, files in task["files"].items():
        ProfileReport(frame_of(files), title=name, minimal=True, progress_bar=False).to_file(
            f"{task['out']}/{name}.html"
        )


if __name__ == "__main__":
    with part("profile"):
        main(given())
