"""A Kite-compatible broker and exchange on loopback: REST and WebSocket on one port, a synthetic or a recorded market.

    market (synthetic | replay) -> player (its clock) -> broker (orders, account, prices) and hub (binary frames)
    rest/ (guard: limits, token, faults) -> desk, changes -> exchange -> account, updates -> hub (text frames)

Nothing here is shared with what it tests but the tick's data type, instruments, sessions, and the function that turns
bars into ticks. docs/sandbox.md says what it does.
"""
