"""Measurements: `python -m benchmarks.NAME`, or `python -m benchmarks` for all."""
