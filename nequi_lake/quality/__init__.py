"""Is the file whole, and does the table keep its contract? Answers are values, not exceptions."""
