"""Dropout, DropConnect and the selection of the modules to which they are applied."""
