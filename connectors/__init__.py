"""Channels. Each file translates one platform: verify its bytes, turn them into an `Inbound`, show our content.

Adding a channel: write `connectors/<channel>.py` against `contract.py` (what enters, what leaves) and `content.py`
(what is said). A connector knows neither the router nor another channel, and keeps no conversation.
"""
