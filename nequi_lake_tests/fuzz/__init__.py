"""Raw files that are damaged at random: how they are made, and what must be so of each."""
