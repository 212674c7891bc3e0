"""Metrics: small pure functions on arrays and texts, one value per item; aggregates carry their standard error."""
