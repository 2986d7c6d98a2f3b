"""Differentiable spatial warps: sampling grids from parameters, and bilinear sampling."""
