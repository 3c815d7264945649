"""Every dashboard, and the page of the documentation about them."""

from __future__ import annotations

from tools.dashboards import broker, feed, kafka, orders, overview, pipeline, portfolio, worker
from tools.dashboards.pages import Page

PAGES: tuple[Page, ...] = (
    *(module.page() for module in (overview, pipeline, orders, portfolio, feed, kafka, broker)),
    *worker.pages(),
)
