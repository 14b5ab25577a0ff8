"""The Rasa island: one turn of a dialogue as a pure function, served on a unix socket. Nothing here imports the rest."""
