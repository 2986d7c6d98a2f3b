"""Targets: loss and metrics by target type."""
