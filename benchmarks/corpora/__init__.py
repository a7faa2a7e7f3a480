"""Public corpora of odd and damaged files, read as their own parameters say, by the lake and by other readers."""
