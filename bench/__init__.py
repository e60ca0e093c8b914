"""Benchmarks: ours beside the limit and the peers, measured in the same run."""
