"""The order state machine, rounding to tick and lot, slicing at the freeze quantity."""
