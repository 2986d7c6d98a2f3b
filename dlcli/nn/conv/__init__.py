"""Convolutional blocks that several models share."""
