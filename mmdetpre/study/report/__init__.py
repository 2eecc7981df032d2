"""The report of a study: page, tables, and where each number comes from."""
