"""The shop that the assistant asks: `port` says what a shop can do, `demo` is one that needs nothing else."""
