"""Multiple choice: MMLU with a subject to forget, and WMDP; answered by the letter with the highest logit."""
