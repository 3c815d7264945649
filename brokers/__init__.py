"""The outside world, one package per broker."""
