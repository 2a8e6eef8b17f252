"""Decides which service, account and resource a request is for."""
