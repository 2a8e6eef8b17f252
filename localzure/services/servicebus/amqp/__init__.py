"""Service Bus on the wire: what AMQP events mean for the engine, and what the engine's outcomes are in AMQP."""
