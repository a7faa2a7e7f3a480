"""WHO DOES THE WORK: turns raw files into staged tables. Polars on this machine; another engine is another module."""
