"""How fast the letters of exams are scored, against lm-evaluation-harness."""
