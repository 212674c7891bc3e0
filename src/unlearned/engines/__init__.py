"""Stage 4: how does the model read the prepared prompt, and what does it answer?"""
