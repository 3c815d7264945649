"""Grafana's dashboards as code: one module per page, written to `grafana/dashboards` by `tools.generate_dashboards`."""
