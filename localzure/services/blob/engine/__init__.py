"""The decisions of the Blob service: plain functions over a view of the store, without HTTP and without XML."""
