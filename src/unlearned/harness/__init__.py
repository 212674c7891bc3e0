"""lm-evaluation-harness with the unlearner active: `model.UnlearnedLM`, and the body of `unlearned eval`."""
