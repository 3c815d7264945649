"""The machinery every worker shares: settings, topics, codec, app factory, consume loop, metrics, logs, health."""
