"""Formulas written naively and slowly, to compare the package with."""
