"""How well strangers come back as the words that they stand for."""
