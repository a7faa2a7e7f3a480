"""The lake's tables: commits, releases, rollback and maintenance."""
