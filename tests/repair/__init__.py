"""Planning, proving and writing repairs, without a worker."""
