"""Networks of searched architectures: standalone, and supernets that share the weights of a space."""
