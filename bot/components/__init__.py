"""Rasa components of ours, named in config.yml."""
