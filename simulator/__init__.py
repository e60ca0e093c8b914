"""A stand-in for the upstreams: for the demo, the tests and the benchmarks."""
