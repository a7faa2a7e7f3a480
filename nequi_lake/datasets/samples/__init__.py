"""Stand-ins for the raw files: the same columns, formats and quirks at any size, made from a seed. No IO here."""
