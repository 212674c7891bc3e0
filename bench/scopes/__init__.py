"""What many scopes in force cost: each decision, and the start."""
