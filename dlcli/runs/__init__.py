"""Run directories on disk: writing, reading and selection, with the standard library only."""
