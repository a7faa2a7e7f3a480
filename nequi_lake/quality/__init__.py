"""The checks of raw files and of tables. A result is a value, not an exception."""
