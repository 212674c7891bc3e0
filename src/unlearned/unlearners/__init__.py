"""Prompt-side methods: they decide what the untouched model gets to read."""
