"""How a corruption's strength is learned: evaluations, wall time, transfer, leaks."""
