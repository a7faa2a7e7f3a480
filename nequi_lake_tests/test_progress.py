"""Progress is shown to a person at a terminal, and to nobody else."""

from __future__ import annotations

import io
import sys
import time

import pytest

from nequi_lake import progress
from nequi_lake.progress import bar, blocks


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def work() -> None:
    """Half of some work, long enough to be shown."""
    with bar("staging loans", 1_000_000, "rows") as shown:
        time.sleep(0.6)
        shown.update(500_000)


def test_a_person_sees_how_much_how_fast_and_how_long_still(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    work()
    shown = terminal.getvalue()
    assert "staging loans:  50%" in shown
    assert "500k/1.00M" in shown
    assert "rows/s" in shown


def test_a_log_file_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    work()
    assert log.getvalue() == ""


def test_a_terminal_is_shown_progress_though_standard_error_is_redirected(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(progress, "_shown_on", None)
    progress.show_on(terminal)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    work()
    assert "staging loans:  50%" in terminal.getvalue()


def test_blocks_are_the_stream_whole() -> None:
    content = bytes(range(256)) * 10_000
    assert b"".join(blocks(io.BytesIO(content), "copying", len(content))) == content
