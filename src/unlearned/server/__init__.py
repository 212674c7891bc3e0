"""OpenAI-compatible serving: what every engine shares (checks, artifacts, keys, metrics, log), and transformers."""
