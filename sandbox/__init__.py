"""A Kite-compatible exchange on loopback: REST and WebSocket on one port, a synthetic or a recorded market.

    market (synthetic | replay) -> player (its clock) -> hub (subscriptions, binary frames) -> server (one port)

Nothing here is shared with what it tests but the tick's data type and the function that turns bars into ticks.
"""
