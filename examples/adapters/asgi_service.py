"""A service that runs workflows: the engine opens, recovers and drains with the application.

    cd examples/adapters
    uvicorn asgi_service:app --timeout-graceful-shutdown 5
    curl localhost:8000/orders/A-1 -X POST

Stop it in the middle of an order, start it again, and the order goes on. With FastAPI it is the same
argument: ``FastAPI(lifespan=flux_lifespan(engine, [order_flow]))``.
"""

import asyncio
import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from flux_engine import FluxEngine, SQLiteStorage, create_workflow
from flux_engine.integrations.asgi import flux_lifespan


async def price(ctx):
    """Find the price."""
    ctx.data.price = 12


async def pack(ctx):
    """Take some time."""
    await asyncio.sleep(float(os.environ.get("PACKING_SECONDS", "3")))
    ctx.data.packed = True


async def charge(ctx):
    """Charge it, once for each key."""
    print(f"charging {ctx.data.price} for {ctx.input}", flush=True)


order_flow = (
    create_workflow("order").input(str).step("price", price).step("pack", pack).commit("charge", charge)
)

engine = FluxEngine(storage=SQLiteStorage(os.environ.get("FLUX_DB", ".flux/flux.db")))


async def order(request):
    """Run an order, or find the one there is."""
    name = request.path_params["order_id"]
    result = await request.app.state.flux.execute(order_flow, name, idempotency_key=name)
    return JSONResponse({"run": result.id, "status": result.status})


app = Starlette(
    routes=[Route("/orders/{order_id}", order, methods=["POST"])],
    lifespan=flux_lifespan(engine, [order_flow]),
)
