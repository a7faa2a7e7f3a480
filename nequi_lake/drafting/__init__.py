"""HOW a declaration is drafted from files: what is proposed is proved by the lake's own reading of all values."""
