"""What the Table service decides: tables, entities, queries and entity group transactions."""
