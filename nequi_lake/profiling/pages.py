"""What all pages have in common: one look, one small script, and a policy by which nothing else runs or is loaded."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from nequi_lake.profiling import charts, numbers

_PAGES = Environment(
    loader=PackageLoader("nequi_lake", "profiling"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_PAGES.filters.update(
    number=numbers.number_text,
    extreme=numbers.extreme_text,
    count=numbers.count_text,
    share=numbers.share_text,
    correlation=numbers.correlation_text,
    size=numbers.size_text,
    time=numbers.time_text,
    cut=numbers.cut,
    first_sentence=lambda text: text.split(". ")[0].rstrip(".") + ".",
)
_PAGES.globals.update(charts=charts, names=numbers.NAMES, change=numbers.change_text)


def _asset(name: str) -> Markup:
    assert _PAGES.loader is not None
    return Markup(_PAGES.loader.get_source(_PAGES, name)[0])  # noqa: S704 - our own file


def page(template: str, **values: Any) -> bytes:
    """A page of that template, as UTF-8.

    Its policy admits one script, by its hash: even if text of the data got past the escaping, no browser would run it.
    """
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _PAGES.get_template(template)
        .render(style=_asset("page.css"), script=script, script_hash=f"sha256-{digest}", **values)
        .encode()
    )
