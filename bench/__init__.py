"""Measurements of the package itself: what it costs, and how its parts do. They stay in the repository.

From the root of a clone: `python -m bench COMMAND`. Benchmarks of unlearning are `unlearned bench`.
"""
