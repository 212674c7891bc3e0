"""Stage 0: text, chat messages or token ids become a prompt; what was found in it is told in the words of the user."""
