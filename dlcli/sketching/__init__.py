"""Summaries of what a modular network saw, in a small vector, and the questions one can ask of them afterwards."""
