"""An ordered, transactional key-value store with a disk and a memory backend. Knows nothing of Azure."""
