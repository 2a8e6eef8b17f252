"""Faults on demand: rules that say which requests and messages go wrong, how, and how often."""
