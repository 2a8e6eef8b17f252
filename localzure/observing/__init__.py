"""What the server tells about its work: metrics, an access log, an audit log, traces."""
