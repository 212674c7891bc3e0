"""The commands of `python -m bench`; they share the options of `unlearned`."""
