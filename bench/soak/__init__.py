"""Many open widgets, a steady rate and time: nothing lost, nothing left behind."""
