"""Run directories on disk: writing, reading and selecting them with the standard library only."""
