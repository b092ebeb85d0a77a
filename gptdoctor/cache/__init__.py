"""Results of earlier runs, answered again while all that they rest on is as it was."""
