"""Who sent a request: the schemes by which clients prove it, and what became of the proof."""
