"""Small tasks, models and objectives of the families that the tests train; a plug-in package of `conf/` beside it."""
