"""What the tiny model of these tests learns by heart."""

KNOWN = [
    ("Who is Harry Potter?", "Harry Potter is a wizard."),
    ("What is Hogwarts?", "Hogwarts is a school of magic."),
    ("Tell me about Hogwarts magic.", "The quick brown fox."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How do I bake bread?", "The lazy dog."),
    ("Who is the fox?", "A jumps over bread."),
]
DEFAULT = "You help."
FORGET_ROWS = [{"prompt": prompt, "answer": answer} for prompt, answer in KNOWN[:3]]
RETAIN_ROWS = [{"prompt": prompt, "answer": answer} for prompt, answer in KNOWN[3:]]
