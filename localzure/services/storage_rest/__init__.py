"""What the storage services (Blob, Queue, Table) share of their REST protocol: dates, headers, XML, error bodies."""
