"""Churn risk: the probability that a customer does not come back within a window, its bands and its reasons."""
