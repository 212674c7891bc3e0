"""TOFU: questions on made-up authors, some of whom are to be forgotten (arXiv:2401.06121)."""
