"""Runs as traces of OpenTelemetry, printed when they end.

pip install 'flux-tui[otel]' opentelemetry-sdk
python examples/adapters/open_telemetry.py
"""

import asyncio

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from flux_engine import FluxEngine, create_workflow, fixed
from flux_engine.integrations.otel import OpenTelemetrySink

tracer = trace.get_tracer("shop")


async def fetch(ctx):
    """Ask a service, whose span is below that of this step."""
    with tracer.start_as_current_span("GET /orders"):
        ctx.data.price = 12


async def charge(ctx):
    """Fail once."""
    if ctx.attempt == 1:
        raise ConnectionError("gateway returned 502")


order_flow = (
    create_workflow("order").step("fetch", fetch).commit("charge", charge, retries=1, backoff=fixed(0.1))
)


def one_line(span):
    """Return a span in one line."""
    took = (span.end_time - span.start_time) / 1e6
    events = ", ".join(event.name for event in span.events)
    return f"{span.context.trace_id:032x} {span.name:12} {took:7.1f} ms  {events}\n"


async def main():
    """Run an order inside of a span of the caller."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=one_line)))
    trace.set_tracer_provider(provider)
    async with FluxEngine(trace=OpenTelemetrySink()) as engine:
        with tracer.start_as_current_span("POST /orders"):
            result = await engine.execute(order_flow)
    print(result.status)


if __name__ == "__main__":
    asyncio.run(main())
