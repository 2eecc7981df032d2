"""Results of own runs: their scores in one table, and beside the paper's."""
