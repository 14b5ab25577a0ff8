"""Custom actions of the assistant: what needs the shop. Rasa calls them through `actions.serve`."""
