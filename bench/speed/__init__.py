"""What enforcing an artifact costs, as ratios against a baseline in the same run."""
