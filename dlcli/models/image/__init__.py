"""Networks that read images and films."""
