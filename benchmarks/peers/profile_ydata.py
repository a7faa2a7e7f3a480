"""A report of every table with ydata-profiling, in its minimal mode."""

from pathlib import Path

import pyarrow.dataset as ds
from ydata_profiling import ProfileReport

from benchmarks.clock import part
from benchmarks.peers.task import Task, given


def main(task: Task) -> None:
    Path(task["out"]).mkdir(parents=True, exist_ok=True)
    for name, files in task["files"].items():
        # Without what a writer noted of its own types: it takes NumPy's only.
        frame = ds.dataset(files).to_table().replace_schema_metadata().to_pandas(date_as_object=False)
        ProfileReport(frame, title=name, minimal=True, progress_bar=False).to_file(f"{task['out']}/{name}.html")


if __name__ == "__main__":
    with part("profile"):
        main(given())
