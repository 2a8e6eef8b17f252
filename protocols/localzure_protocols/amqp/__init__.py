"""AMQP 1.0 without IO, on qpid-proton."""
