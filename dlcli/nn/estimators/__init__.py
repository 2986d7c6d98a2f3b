"""Predictions of fitted scikit-learn estimators, computed from tensors."""
