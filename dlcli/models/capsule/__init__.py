"""Capsule networks and the pooling network that they are compared with."""
