"""Configuration: compose it from command-line arguments, build objects from it, and identify experiments."""
