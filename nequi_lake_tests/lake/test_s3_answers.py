"""A bucket that does not answer as it should: each command says what happened, where, and what to do."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from nequi_lake.cli import main

pytestmark = pytest.mark.long

SECRET = "not-a-secret/c4n4ry"
PAGE = b"<!DOCTYPE html><html><head><title>Log in to the network</title></head></html>"
COMMANDS = {
    "tables": ["tables"],
    "sql": ["sql", "SELECT * FROM cite_sum.papers"],
    "doctor": ["doctor", "--format", "json"],
    "run": ["run", "cite_sum"],
}


class Answers:
    """A server that answers every request in one way.

    Attributes:
        status: of the answer.
        body: of the answer; one to HEAD has none.
        headers: of the answer.
        promised: how many bytes the answer says that it has; what it has by default.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    promised: int | None = None

    def refuse(self, status: int, code: str, message: str = "") -> None:
        """Answer as S3 does to what it refuses."""
        said = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.status, self.body = status, f'<?xml version="1.0" encoding="UTF-8"?>\n{said}'.encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Answers]:
    """The server to which the environment leads; a call is not made again, so that no test waits."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(answers.status)
            length = len(answers.body) if answers.promised is None else answers.promised
            for name, value in {"Content-Length": str(length), **answers.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answers.body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    for name in [name for name in os.environ if name.startswith(("AWS_", "NEQUI_LAKE_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{served.server_port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIATESTKEY",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "NEQUI_LAKE_URI": "s3://acme-lake/lake",
        "NEQUI_LAKE_SAMPLE_SCALE": "0.001",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("nequi_lake.lake.storage.aws.MAX_ATTEMPTS", 1)
    yield answers
    served.shutdown()
    thread.join()
    served.server_close()


def expired(answers: Answers) -> None:
    answers.refuse(400, "ExpiredToken", "The provided token has expired.")


def wrong_key(answers: Answers) -> None:
    answers.refuse(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")


def wrong_secret(answers: Answers) -> None:
    answers.refuse(403, "SignatureDoesNotMatch", "Check your key and signing method.")


def wrong_clock(answers: Answers) -> None:
    answers.refuse(403, "RequestTimeTooSkewed", "The difference is too large.")


def denied(answers: Answers) -> None:
    answers.refuse(403, "AccessDenied", "Access Denied")


def cut(answers: Answers) -> None:
    answers.body, answers.promised = b'<?xml version="1.0"?>\n<ListBucketRes', 1000


def half(answers: Answers) -> None:
    answers.body = b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketRes'


def page(answers: Answers) -> None:
    answers.body, answers.headers = PAGE, {"Content-Type": "text/html"}


def page_that_refuses(answers: Answers) -> None:
    answers.status, answers.body, answers.headers = 403, PAGE, {"Content-Type": "text/html"}


def page_elsewhere(answers: Answers) -> None:
    answers.status, answers.headers = 302, {"Location": "http://login.invalid/"}


ANSWERS: dict[Callable[[Answers], None], tuple[str, str]] = {
    expired: ("The AWS credentials have expired.", "aws sso login"),
    wrong_key: ("AWS does not accept the credentials: InvalidAccessKeyId.", "aws configure"),
    wrong_secret: ("AWS does not accept the credentials: SignatureDoesNotMatch.", "aws configure"),
    wrong_clock: ("The clock of this machine is wrong", "timedatectl"),
    denied: ("AWS does not allow", "widen the policy"),
    cut: (
        "(AWS could not be reached: An error occurred while reading|The answer of AWS .*was cut short)",
        "un it again",
    ),
    half: (
        "(The answer of AWS .*was cut short|holds no JSON: it is damaged)",
        "(Run it again|Look into it)",
    ),
    page: ("(What answers is no object store|not the storage answers but a web page)", "Is a proxy"),
    page_that_refuses: ("What answers is no object store", "Is a proxy"),
    page_elsewhere: ("What answers is no object store", "Is a proxy"),
}


def said(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says that fails."""
    monkeypatch.setattr("sys.argv", ["nequi-lake", *COMMANDS[command]])
    with pytest.raises(SystemExit) as end:
        main()
    found = "".join(capsys.readouterr())
    assert end.value.code in (1, 2), found
    assert "broke off" not in found
    assert "Traceback" not in found
    assert "c4n4ry" not in found
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
def test_each_answer_is_one_message(
    server: Answers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: Callable[[Answers], None],
    command: str,
) -> None:
    answer(server)
    found = said(command, monkeypatch, capsys)
    what, fix = ANSWERS[answer]
    assert re.search(what, found)
    assert re.search(fix, found)
    assert "s3://acme-lake" in found


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://s3.no-such-host.invalid"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_is_not_reached(
    server: Answers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    endpoint: str,
    command: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    found = said(command, monkeypatch, capsys)
    assert "AWS could not be reached" in found
    assert "is AWS_ENDPOINT_URL right" in found
    assert endpoint in found
