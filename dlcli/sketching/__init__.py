"""Sketches of modular networks and of streams."""

QUERIES = ("count", "mean", "attribute", "similar", "erase", "recover-network", "bench")
"""Names of the queries that `dlcli sketch query` answers."""
