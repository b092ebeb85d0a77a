"""Tests that run models."""
