"""Search spaces, weight-sharing networks and controllers of neural architecture search."""
