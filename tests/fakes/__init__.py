"""Stand-ins for what lives outside a process: small servers that record what they were asked."""
