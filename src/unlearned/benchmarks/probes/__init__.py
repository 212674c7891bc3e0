"""Probes: what can still be got out of a model that is not supposed to answer."""
