"""Claims of papers as data: the arms to run, the relations that must hold, and the results."""
