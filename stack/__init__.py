"""The local stack: real Kafka, PostgreSQL and Redis from Python packages, the sandbox exchange and all workers.

run (the whole of `up`) -> infrastructure (kafka, postgres, redis) -> exchange -> plan (workers)
                        -> supervisor (process, guardian) and, once it runs, scrape -> summary -> view
"""
