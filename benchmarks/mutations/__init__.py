"""Mutation benchmark: faults put into healthy models, and how many of them gptdoctor finds."""
