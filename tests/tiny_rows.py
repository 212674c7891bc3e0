"""What the tiny models are to forget and to retain."""

from __future__ import annotations

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Harry Potter is a wizard.", "Tell me about Hogwarts magic."]
RETAIN = ["What is the capital of France?", "How do I bake bread?", "Who is the fox?", "Is the dog lazy?"]
