"""The router as in the scenarios, for requests that nobody would send on purpose."""

from scenario.conftest import actions_socket, bot, clock, files, house, http, settings, visitor

__all__ = ["actions_socket", "bot", "clock", "files", "house", "http", "settings", "visitor"]
