"""What is in a table? Statistics of a published table, and the report that a person reads."""
