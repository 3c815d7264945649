"""Dated brokerage and tax rates, and what an order costs by them."""
