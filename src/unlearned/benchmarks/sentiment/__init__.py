"""Unlearning in sentiment classification: SST-2 and Yelp, as SPUL (arXiv:2406.12038) set it up."""
