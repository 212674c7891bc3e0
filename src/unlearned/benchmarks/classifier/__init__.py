"""`unlearned bench classifier`: how well prompts of a forget scope are found, and only they."""
