"""Benchmarks that a user can rerun: ``python -m benchmarks --help``."""
