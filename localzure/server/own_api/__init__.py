"""LocalZure's own HTTP API: health, and everything below `/_localzure/`, on every HTTP port beside the services."""
