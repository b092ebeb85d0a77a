"""What the probes measure: one frozen dataclass a probe, units in the field names.

A measurement holds numbers and places, never an opinion: the defects judge.
"""
