"""The lake's side of the benchmarks: each module is run as a process of its own, on the lake of ``NEQUI_LAKE_*``."""
