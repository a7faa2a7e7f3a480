"""Reading the lake: tables as frames, SQL over all of them, and what a notebook shows."""
