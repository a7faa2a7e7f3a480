"""Where a person finds files of the lake from the Dagster UI.

A page that came over http opens no ``file://`` link. So what a run records of a file in a folder is its path, which
the UI offers to copy, and the links to the reports belong to the definitions: they lead to the server of today,
whichever run wrote the reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

import dagster as dg

from nequi_lake.datasets.spec import INDEX
from nequi_lake.defs.names import table_of
from nequi_lake.lake.layout import RAW

_PAGES = ("index", "dictionary")


def location(link: str) -> dg.MetadataValue[str]:
    """A file of the lake as metadata: a URL where it is one of the web, otherwise a path."""
    parts = urlsplit(link)
    return dg.MetadataValue.path(unquote(parts.path)) if parts.scheme == "file" else dg.MetadataValue.url(link)


def with_links(assets: Iterable[dg.AssetsDefinition], reports_url: str) -> list[dg.AssetsDefinition]:
    """The assets, each of a table, mart or report with a link to the page; as they are without a URL of the reports."""
    if not reports_url:
        return list(assets)

    def linked(spec: dg.AssetSpec) -> dg.AssetSpec:
        return spec.merge_attributes(metadata=_links(spec.key, reports_url))

    return [definition.map_asset_specs(linked) for definition in assets]


def _links(key: dg.AssetKey, reports_url: str) -> dict[str, dg.MetadataValue[str]]:
    zone, _, name = key.path
    if zone == RAW:
        return {}
    if name == INDEX:
        return {f"{page}_page": dg.MetadataValue.url(f"{reports_url}/{page}.html") for page in _PAGES}
    dataset, table = table_of(key).split(".")
    return {"report_page": dg.MetadataValue.url(f"{reports_url}/{quote(dataset)}/{quote(table)}.html")}
