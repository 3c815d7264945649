"""How a worker is built and run: `runtime` (the machinery), `workers` (one module per stage), `commands`."""
