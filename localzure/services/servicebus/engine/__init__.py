"""What Service Bus decides: plain synchronous code over the store, without a wire, a clock or randomness of its own."""
