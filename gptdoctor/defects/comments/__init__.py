"""Family 0: what gptdoctor is told in comments."""
