"""The product runs on uvloop; its servers must not notice on which loop they run."""

import asyncio

import uvloop


def pytest_asyncio_loop_factories(config, item):
    """Every asynchronous test here runs once on each loop."""
    return {"stock": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
