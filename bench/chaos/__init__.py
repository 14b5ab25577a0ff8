"""Real processes under kills, stops, cuts and a full Redis; a checker says what was lost, doubled or reordered."""
