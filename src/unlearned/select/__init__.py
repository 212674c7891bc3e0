"""Stage 2: which tokens of a flagged prompt carry the knowledge?"""
