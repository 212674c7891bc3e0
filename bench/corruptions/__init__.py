"""What every corruption function does to answers."""
