"""Zerodha's Kite Connect: session, WebSocket, binary frames."""
