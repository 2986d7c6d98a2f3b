"""Claims of papers as data: what is compared with what, what must hold, and what was found."""
