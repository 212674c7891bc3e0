"""Stage 1: is this prompt in a forget scope, and where?"""
