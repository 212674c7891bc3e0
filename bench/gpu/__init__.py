"""What enforcing costs on a GPU, against the size and the precision of the model."""
