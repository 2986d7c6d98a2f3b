"""Warps: numbers in, and where in the input each pixel of the output is taken from."""
