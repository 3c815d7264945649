"""Indicators: incremental, O(1) an update, their state one msgspec struct.

They may use floats: what they say is compared, never traded. `update` takes the next value and returns the
indicator's; until `is_ready` it has not seen enough to mean anything. Integers below 2**53 (prices in 1/10,000 rupee)
enter without loss. Equal to TA-Lib's functions of the same names on the same input, but for a flat market's RSI.
"""
