"""How an artifact is made: classifier, calibrated threshold, corruption strength."""
