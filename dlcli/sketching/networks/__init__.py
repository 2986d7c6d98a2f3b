"""Networks that can be sketched: they represent an image as objects of modules."""
