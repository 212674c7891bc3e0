"""Did it work on these prompts? The original model and the unlearned one, side by side."""
