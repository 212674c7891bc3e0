"""Results as something people read: one self-contained HTML file, and tables for papers."""
