"""The `$filter` of the Table service: from its text to a test and to the ranges of keys that it leaves."""
