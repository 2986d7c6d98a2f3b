"""Strategies: learners whose step is a batch of trials."""
