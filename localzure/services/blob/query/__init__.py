"""Query Blob Contents: SQL over delimited or JSON text, streamed row by row, answered in an Avro container."""
