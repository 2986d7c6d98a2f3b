"""Classical estimators as models."""
