"""Numeric tests of faults, on small live instances, written without gptdoctor's probes."""
