"""Settings: one typed schema, read from command line, environment, file and defaults."""
