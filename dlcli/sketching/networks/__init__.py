"""Networks that are sketched: what they see in an image as objects of modules."""
