"""The application's own package: command line, launcher, settings, and the place where the concrete parts meet."""

__version__ = "0.1.0"
