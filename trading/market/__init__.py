"""Instruments, sessions, and ticks made from bars."""
