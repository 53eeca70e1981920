"""Helpers that the lectures share: nothing happens on import."""
