"""Runs -> report: statistics and a verdict."""
