"""docs/dashboards.md: what each page answers, how Grafana gets them."""

from __future__ import annotations

from tools.dashboards.catalogue import PAGES
from tools.dashboards.pages import RUNBOOKS, WORKER, Page
from tools.markdown import NOTE, table

USE = f"""\
Start at the overview; each of its panels links to the page that says more, and to the runbook. The choices at the
top (job, instance, broker, stage) hold for all pages. Orange marks are starts of workers, with their version; red ones,
which are off at first, are alerts that fired. An alert of one worker leads to `/d/{WORKER}<stage>`, as
`/d/{WORKER}{{{{ $labels.stage }}}}` in a rule. Times are those of India."""

PROVISIONING = f"""\
Grafana reads `grafana/provisioning` at its start: the data source (uid `prometheus`) and the folder of dashboards.
With a Prometheus that scrapes the workers, and Grafana installed below `/usr/share/grafana`:

```
PROMETHEUS_URL=http://127.0.0.1:9090 DASHBOARDS_FOLDER=$PWD/grafana/dashboards \\
GF_PATHS_PROVISIONING=$PWD/grafana/provisioning \\
GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH=$PWD/grafana/dashboards/ap-overview.json \\
grafana server --homepath /usr/share/grafana
```

In a container, mount both folders and set the same variables to where they are there. Links to runbooks go to
`{RUNBOOKS}`, which Grafana serves when `docs/runbooks` is mounted (or linked) as `public/runbooks` of its home
path; `RUNBOOKS` in `tools/dashboards/pages.py` is the place to change that. `timeInterval` of the data source has to be
Prometheus' scrape interval, 5 s: rates are taken over at least four of them."""

CHANGING = """\
The files are written by `make docs` from `tools/dashboards`, one module a page; in Grafana they cannot be edited. A
metric is named there as it is declared, and its selector gets the matchers of the page; a name nobody declared ends the
generator. `make check` fails when files and code differ, `tests/unit/observability` when a query does not
parse, uses a label that is not there, lacks a unit or links to nothing, or when a declared metric is on no page."""


def dashboards_page() -> str:
    """docs/dashboards.md."""
    rows = [(f"{page.title} (`{page.uid}`)", page.answers, _contents(page)) for page in PAGES]
    parts = ("# Dashboards", NOTE, USE, table(("page", "question", "panels"), rows))
    return "\n\n".join((*parts, "## How Grafana gets them", PROVISIONING, "## How to change them", CHANGING))


def _contents(page: Page) -> str:
    named = [row.title for row in page.rows if row.title]
    return f"{sum(len(row.panels) for row in page.rows)}" + (f": {', '.join(named)}" if named else "")
