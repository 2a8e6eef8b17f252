"""Fixtures shared by all tests."""

from hypothesis import HealthCheck, settings

# A busy machine is no bug: what a test may take is bounded by the whole run, not by each example.
settings.register_profile("localzure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("localzure")
