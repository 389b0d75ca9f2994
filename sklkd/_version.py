"""The version, where both the package and what it writes can read it."""

__version__ = "0.1.0.dev0"
