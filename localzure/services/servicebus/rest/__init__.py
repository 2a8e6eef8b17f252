"""Messages over HTTP: sending, receiving and settling them without AMQP ("Service Bus Runtime REST")."""
