"""What serving costs: throughput by number of clients, and the time to a first token."""
