"""Statistics of a published table, and its report."""
