"""MUSE (arXiv:2407.06460): news or books, their words, their facts, and whether they were ever learned."""
