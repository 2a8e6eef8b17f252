"""Which service and which account a request is for."""
