"""Files, texts, tables and imports: what every other part may use."""
