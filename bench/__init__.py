"""Numbers, each against a limit measured in the same run. docs/performance.md says how to read them."""
