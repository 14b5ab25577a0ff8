"""The Rasa island: one turn of a dialogue as a pure function, on a unix socket. Imports nothing of ours outside."""
