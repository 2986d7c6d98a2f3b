"""Attribution: which inputs the score of a class depends on."""
