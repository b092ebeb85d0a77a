"""A live model to be examined, and how one is made."""
