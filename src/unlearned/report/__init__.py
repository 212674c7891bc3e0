"""Results as something people read: one self-contained HTML file."""
