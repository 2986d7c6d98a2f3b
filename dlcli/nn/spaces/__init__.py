"""Spaces of architectures: one small class each."""
