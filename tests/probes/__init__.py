"""Tests of what the probes measure, on models written here."""
