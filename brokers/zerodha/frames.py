"""Kite's binary WebSocket frames, decoded to ticks without floats.

A frame is `u16 count`, then per packet `u16 length` and a body of 8, 28, 32, 44 or 184 bytes, big-endian and
unsigned. Prices are integers over a divisor of their segment. Source: Kite Connect documentation, "WebSocket
streaming", and the behaviour of kiteconnect 5.2.2, to which `tests/contract` compares every field.
"""

from __future__ import annotations

from struct import Struct

from models.messages.ticks import Level, Mode, Tick

_COUNT = Struct(">H")
_LTP = Struct(">2I")
_INDEX_QUOTE = Struct(">7I")
_INDEX_FULL = Struct(">8I")
_QUOTE = Struct(">11I")
_FULL = Struct(">16I" + "IIHxx" * 10)
_LENGTHS = frozenset((8, 28, 32, 44, 184))

CDS = 3
BCD = 6
INDICES = 9
NCO = 12
LEVELS = 5


class FrameDecoder:
    """Decodes the frames of one feed run and numbers the ticks of each instrument from 1.

    Prices become 1/10,000 rupee: exactly for every segment but CDS, whose divisor of 10,000,000 is finer and is
    rounded half up (its tick size, 0.0025, is a multiple of ours). `refused` counts packets of unknown or
    truncated length and what follows a frame's last packet, `repeated` packets that equal the instrument's previous
    one byte for byte, which Kite sends after a reconnect; none becomes a tick. Never raises for any bytes.
    """

    def __init__(self) -> None:
        self.refused = 0
        self.repeated = 0
        self._sequences: dict[int, int] = {}
        self._previous: dict[int, bytes] = {}

    def decode(self, payload: bytes) -> list[Tick]:
        """Ticks of one binary frame, in packet order; a heartbeat has none."""
        size = len(payload)
        if size < 2:
            return []
        (count,) = _COUNT.unpack_from(payload)
        found: list[Tick] = []
        at = 2
        for _ in range(count):
            if at + 2 > size:
                self.refused += 1
                break
            (length,) = _COUNT.unpack_from(payload, at)
            body = payload[at + 2 : at + 2 + length]
            at += 2 + length
            if length not in _LENGTHS or len(body) != length:
                self.refused += 1
                continue
            tick = self._packet(body, length)
            if tick is not None:
                found.append(tick)
        if at < size:
            self.refused += 1
        return found

    def _packet(self, body: bytes, length: int) -> Tick | None:
        token = int.from_bytes(body[:4], "big")
        if self._previous.get(token) == body:
            self.repeated += 1
            return None
        self._previous[token] = body
        sequence = self._sequences[token] = self._sequences.get(token, 0) + 1
        segment = token & 0xFF
        times = 100
        if segment in (CDS, BCD, NCO):
            if segment == CDS:
                return _decode_cds(body, length, sequence)
            times = 1
        if length == 184:
            return _full(body, sequence, times, segment != INDICES)
        return _short(body, length, sequence, times)


def _full(body: bytes, sequence: int, times: int, tradable: bool) -> Tick:
    f = _FULL.unpack(body)
    return Tick(
        f[0], sequence, Mode.FULL, tradable, f[1] * times, f[2], f[3] * times, f[4], f[5], f[6],
        f[7] * times, f[8] * times, f[9] * times, f[10] * times, f[11], f[12], f[13], f[14], f[15],
        (
            Level(f[17] * times, f[16], f[18]), Level(f[20] * times, f[19], f[21]),
            Level(f[23] * times, f[22], f[24]), Level(f[26] * times, f[25], f[27]),
            Level(f[29] * times, f[28], f[30]),
        ),
        (
            Level(f[32] * times, f[31], f[33]), Level(f[35] * times, f[34], f[36]),
            Level(f[38] * times, f[37], f[39]), Level(f[41] * times, f[40], f[42]),
            Level(f[44] * times, f[43], f[45]),
        ),
    )  # fmt: skip


def _short(body: bytes, length: int, sequence: int, times: int) -> Tick:
    tradable = body[3] != INDICES
    if length == 8:
        token, last = _LTP.unpack(body)
        return Tick(token, sequence, Mode.LTP, tradable, last * times)
    if length == 44:
        f = _QUOTE.unpack(body)
        return Tick(
            f[0], sequence, Mode.QUOTE, tradable, f[1] * times, f[2], f[3] * times, f[4], f[5], f[6],
            f[7] * times, f[8] * times, f[9] * times, f[10] * times,
        )  # fmt: skip
    f = _INDEX_QUOTE.unpack(body) if length == 28 else _INDEX_FULL.unpack(body)
    return Tick(
        f[0],
        sequence,
        Mode.QUOTE if length == 28 else Mode.FULL,
        tradable,
        f[1] * times,
        high_units=f[2] * times,
        low_units=f[3] * times,
        open_units=f[4] * times,
        close_units=f[5] * times,
        exchange_time=0 if length == 28 else f[7],
    )


def _decode_cds(body: bytes, length: int, sequence: int) -> Tick:
    """As other segments with a multiplier of 1, then every price divided by 1,000."""
    raw = _full(body, sequence, 1, True) if length == 184 else _short(body, length, sequence, 1)
    names = [name for name in Tick.__struct_fields__ if name.endswith("_units")]
    values = {name: getattr(raw, name) for name in Tick.__struct_fields__}
    values.update({name: _thousandth(values[name]) for name in names})
    for side in ("buy", "sell"):
        values[side] = tuple(Level(_thousandth(one.price_units), one.quantity, one.orders) for one in values[side])
    return Tick(**values)


def _thousandth(value: int) -> int:
    return (value + 500) // 1000
