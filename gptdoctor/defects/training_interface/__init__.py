"""Family 6: how a model is trained."""
