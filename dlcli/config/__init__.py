"""Configuration: from words on the command line to objects, and the identity of an experiment."""
