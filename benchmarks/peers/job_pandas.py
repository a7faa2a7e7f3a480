"""The whole job with pandas and ydata-profiling: the four tables, and a report of each."""

from pathlib import Path

from benchmarks.clock import part
from benchmarks.peers import profile_ydata, write_pandas
from benchmarks.peers.task import Task, given


def main(task: Task) -> None:
    with part("write"):
        write_pandas.main(task)
    out = Path(task["out"])
    files = {table["name"]: sorted(map(str, (out / table["name"]).rglob("*.parquet"))) for table in task["tables"]}
    with part("profile"):
        profile_ydata.main({**task, "files": files, "out": f"{out}/reports"})


if __name__ == "__main__":
    main(given())
