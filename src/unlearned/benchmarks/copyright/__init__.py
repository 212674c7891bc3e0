"""The copyright task of arXiv:2406.07933: a model that recites news articles or a book must not."""
