"""Recurrent layers, cells and the networks around them."""
