"""Models that one lecture builds and at least two later ones use; a test holds both definitions equal."""
