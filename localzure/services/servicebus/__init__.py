"""Service Bus: queues over AMQP 1.0, as the official SDKs use them.

The server builds a `service.ServiceBusService` from `settings.ServiceBusSettings` and seeds from `seed.load_seed`.
"""
