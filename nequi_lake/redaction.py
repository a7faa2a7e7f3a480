"""What people may see of a secret: nothing. The one place that takes secrets out of texts, addresses and errors.

A secret that the process knows is found by its value, in every form in which a library may write it: as it was given,
decoded, encoded, quoted. So it does not matter whose message it is. Known are the values of environment variables that
are named like a secret, and what :func:`remember` and :func:`remember_url` were given.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"
_NAME = re.compile(r"(?i)passw(or)?d|secret|token|credential|api_?key|kaggle_key")
_NAMES_SOMETHING_ELSE = re.compile(r"(?i)_(arn|file|path|ur[il]|id)$")
_LEAST = 6
"""A shorter secret is a word of other texts too (test, admin); it is hidden in addresses only."""
_WORD = 8
"""A secret that is shorter is hidden where it stands alone: it may be a word, and a part of others."""
_PLAIN_OPTIONS = frozenset(
    {"application_name", "cache", "charset", "client_encoding", "connect_timeout", "dbname", "host", "mode", "port"}
    | {"service", "sslmode", "timeout", "uri", "user"}
)
"""Options of a database's address that are shown. All others are hidden, as each driver has words of its own."""
_ADDRESS = re.compile(r"([a-z][\w+.-]*://[^\s'\"<>/:@]*):(?!PASSWORD@)[^\s'\"<>]*@", re.IGNORECASE)

_OPTION = re.compile(r"((?:passw(?:or)?d|pwd|secret|token)[\w-]*=)[^\s'\"<>&;]+", re.IGNORECASE)

_remembered: set[str] = set()


def remember(secret: str) -> None:
    """Hide a secret from now on, in all that :func:`redact` is given."""
    if len(secret.strip()) >= _LEAST:
        _remembered.add(secret.strip())


def remember_url(url: str) -> None:
    """Hide the secrets of an address from now on: its password, and options that may hold one.

    Of a password with characters that should have been encoded, each part is hidden: a library takes the rest for the
    name of a host, and says so.
    """
    _, password, _, options = _split(url)
    remember(password)
    parts = re.split(r"[@:/?#]", password)
    for part in parts if len(parts) > 1 else ():
        remember(part)
    for name, value in _options(options):
        if not _is_shown(name):
            remember(value)


def show_url(url: str) -> str:
    """An address for people: without its password, and without options that may hold one."""
    before, password, after, options = _split(url)
    if not before:
        return HIDDEN if url else ""
    shown = [f"{name}={value if _is_shown(name) else HIDDEN}" for name, value in _options(options)]
    place = f"{before}:{HIDDEN}@{after}" if password else before
    return redact(f"{place}?{'&'.join(shown)}" if shown else place)


def password_of(url: str) -> str:
    """The password in an address, decoded; what a person means by it, whether or not a library reads it so."""
    return unquote(_split(url)[1] if "://" in url else "")


def redact(text: str) -> str:
    """A text without the secrets that the process knows, and without the password of any address in it."""
    found = _pattern(frozenset(_remembered), frozenset(_of_environment()))
    text = _OPTION.sub(rf"\1{HIDDEN}", _ADDRESS.sub(rf"\1:{HIDDEN}@", text))
    return found.sub(HIDDEN, text) if found else text


def scrub(error: BaseException) -> None:
    """Take the secrets out of the messages of an error and of its causes, whoever writes them down."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        args = tuple(redact(part) if isinstance(part, str) else part for part in one.args)
        if args != one.args:
            one.args = args
        waiting += [one.__cause__, one.__context__]
        waiting += [part for part in (*one.args, getattr(one, "orig", None)) if isinstance(part, BaseException)]


def _of_environment() -> Iterator[str]:
    for name, value in os.environ.items():
        if len(value) >= _LEAST and _NAME.search(name) and not _NAMES_SOMETHING_ELSE.search(name):
            yield value.strip()


@lru_cache(maxsize=8)
def _pattern(*sources: frozenset[str]) -> re.Pattern[str] | None:
    """What finds each of the secrets in a text; None where there are none."""
    found = {form for source in sources for secret in source for form in _forms(secret) if len(form) >= _LEAST}
    # The longest first: one secret may be the beginning of another.
    wanted = [_finding(form) for form in sorted(found, key=len, reverse=True)]
    return re.compile("|".join(wanted)) if wanted else None


def _forms(secret: str) -> set[str]:
    """The forms in which a secret may be written down."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    encoded = {write(text, safe) for text in plain for write in (quote, quote_plus) for safe in ("", "/", " +", "/:@")}
    quoted = {form for text in plain for form in (repr(text)[1:-1], json.dumps(text)[1:-1], html.escape(text))}
    return plain | encoded | quoted


def _finding(form: str) -> str:
    # A code such as %2F may have small letters.
    escaped = re.sub("%[0-9A-Fa-f]{2}", r"(?i:\g<0>)", re.escape(form))
    return rf"(?<!\w){escaped}(?!\w)" if len(form) < _WORD else escaped


def _split(url: str) -> tuple[str, str, str, str]:
    """An address in parts: scheme and user; password; host, port and path; options. What is none is empty."""
    scheme = re.match(r"[A-Za-z][\w+.-]*://", url)
    if not scheme:
        return "", url, "", ""
    rest = url[scheme.end() :]
    place, _, options = rest.partition("?")
    if "@" not in rest or rest.startswith("/"):
        return scheme[0] + place, "", "", options
    if "@" in place and all(re.match(r"[\w.%+-]+=", option) for option in options.split("&") if option):
        user, _, after = place.rpartition("@")
    else:
        # The question mark is one of the password's characters.
        user, _, after = rest.rpartition("@")
        after, _, options = after.replace("&", "?", 1).partition("?")
    name, _, password = user.partition(":")
    if not password:
        return f"{scheme[0]}{user}@{after}", "", "", options
    return scheme[0] + name, password, after, options


def _options(options: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (option.partition("=") for option in options.split("&") if option)]


def _is_shown(name: str) -> bool:
    return unquote_plus(name).lower() in _PLAIN_OPTIONS
