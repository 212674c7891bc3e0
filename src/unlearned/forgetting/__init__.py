"""From a name to an artifact: write the prompts, ask the model, fit."""
