"""How much clients may ask: limits on rates, and circuit breakers in front of services."""
