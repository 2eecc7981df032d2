"""Files of other machines and of archives: addresses, retries, a bounded cache, tar shards, and mmengine's backends."""
