"""Errors of the brokers.

BrokerFailure
└── SessionRefused    the broker does not accept the access token: a new login is needed
"""

from __future__ import annotations


class BrokerFailure(Exception):
    """Base of this package's errors."""


class SessionRefused(BrokerFailure):
    """Raised when the broker does not accept the access token or the login."""
