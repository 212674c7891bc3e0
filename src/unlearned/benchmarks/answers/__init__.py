"""What an unlearned model says of a scope that nobody asked about."""
