"""What crashes the reader of a file, or takes all memory, ends a process of its own, and the file is refused."""

from __future__ import annotations

import errno

import psutil
import pytest

from nequi_lake.errors import TransientError
from nequi_lake.formats.guarded import UnreadableFileError, guarded

CRASHING = "nequi_lake_tests.formats.crashing"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("crash", r"^its reader crashed \(SIGSEGV\)$"),
        ("abort", r"^its reader crashed \(SIGABRT\)$"),
        ("take_memory", r"^reading it takes more than 2,048 MiB of memory$"),
        ("panic", r"^not yet implemented: this page$"),
    ],
)
def test_a_reader_that_ends_badly_says_that_the_file_cannot_be_read(how: str, said: str) -> None:
    with pytest.raises(UnreadableFileError, match=said):
        list(guarded(f"{CRASHING}:{how}"))


def test_a_full_disk_is_no_fault_of_the_file() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        list(guarded(f"{CRASHING}:fill_disk"))
    assert caught.value.errno == errno.ENOSPC


def test_a_reader_that_is_ended_from_outside_may_be_started_again() -> None:
    with pytest.raises(TransientError, match="SIGKILL"):
        list(guarded(f"{CRASHING}:be_ended"))


def test_a_reader_ends_with_the_one_who_asked() -> None:
    found = guarded(f"{CRASHING}:go_on")
    process = next(found)
    assert psutil.pid_exists(process)
    found.close()  # type: ignore[attr-defined]
    assert not psutil.pid_exists(process)
