"""Networks whose architecture is searched for: alone, and with the weights of all of a space."""
