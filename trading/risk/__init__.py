"""Sizing, then one ordered chain of pre-trade checks, each with its reason code."""
