"""Capsule layers, prediction vectors and routing by agreement."""
