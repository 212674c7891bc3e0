"""Unlearning of harmful answers, as LLMU (arXiv:2310.10683) and SKU (arXiv:2402.10058) set it up."""
