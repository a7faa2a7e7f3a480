"""The Glue Data Catalog, where a lost answer must not pass for a lost commit."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog import METADATA_LOCATION
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError


class LakeGlueCatalog(GlueCatalog):
    """PyIceberg's catalog, which asks Glue before it takes a refused commit for lost.

    A connection that breaks after Glue has taken a commit makes boto3 send it again, and Glue refuses the second one as
    a conflict with the first. PyIceberg then removes the manifests of a commit that is in the catalog.
    """

    def _create_glue_table(self, database_name: str, table_name: str, table_input: Any) -> None:
        try:
            super()._create_glue_table(database_name, table_name, table_input)
        except TableAlreadyExistsError:
            if not self._has_taken(database_name, table_name, table_input):
                raise

    def _update_glue_table(self, database_name: str, table_name: str, table_input: Any, version_id: str) -> None:
        try:
            super()._update_glue_table(database_name, table_name, table_input, version_id)
        except CommitFailedException:
            if not self._has_taken(database_name, table_name, table_input):
                raise

    def _has_taken(self, database_name: str, table_name: str, table_input: Any) -> bool:
        """Whether a refused commit is in the catalog."""
        current = self._get_glue_table(database_name, table_name).get("Parameters", {})
        return bool(current.get(METADATA_LOCATION) == table_input["Parameters"][METADATA_LOCATION])
