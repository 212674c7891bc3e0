"""Search among very many examples: how fast, how exact, how large."""
