"""The decisions of the Queue service: plain functions over a view of the store, without HTTP and without XML."""
