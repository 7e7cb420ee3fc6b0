"""An engine as a part of an application core with services, hooks and a logger.

python examples/adapters/orbit_core.py
"""

import asyncio
import logging

from flux_engine import create_workflow
from flux_engine.integrations.orbit import OrbitFlux


class Hooks:
    """Listeners by name."""

    def __init__(self):
        self._listeners = {}

    def add_action(self, name, listener):
        """Have a listener called."""
        self._listeners.setdefault(name, []).append(listener)

    def do_action(self, name, event):
        """Call the listeners."""
        for listener in self._listeners.get(name, ()):
            listener(event)


class Core:
    """What the parts of the application share."""

    def __init__(self):
        self.services = {}
        self.hooks = Hooks()
        self.logger = logging.getLogger("core")


greet_flow = create_workflow("greet").step("compose", lambda ctx: f"Hello, {ctx.input}!")


async def main():
    """Install the engine, listen, and run."""
    core = Core()
    core.hooks.add_action("flux:step:complete", lambda event: print(event.step, "returned", event.output))
    core.hooks.add_action("flux:workflow:complete", lambda event: print(event.workflow, event.status))
    orbit = OrbitFlux(storage="memory", workflows=[greet_flow])
    await orbit.install(core)
    await core.services["flux"].execute(greet_flow, "Ada")
    await orbit.close()


if __name__ == "__main__":
    asyncio.run(main())
