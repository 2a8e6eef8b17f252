"""What the REST protocols of Blob, Queue and Table have in common: errors, queries, headers, XML, entity tags."""
