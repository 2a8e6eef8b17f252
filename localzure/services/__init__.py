"""The emulated Azure services, one folder each, and the interface through which the server drives them."""
