"""Measures: every figure is a ratio to a baseline of the same run, interleaved with it. `make bench` writes
docs/benchmarks.md.
"""
