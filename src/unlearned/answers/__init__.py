"""The answer side: what of a scope may not be said unasked (names, quotes), told character by character."""
