"""Data that wants to do harm to a terminal or to whoever lays out text, and a project full of it."""

from itertools import pairwise
from typing import Any, Final, get_args

from fake_desk import NOW, FakeDesk, completed, module, started

from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_engine.replay_report import DifferenceKind, ReplayReport, StepDifference
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model.run import RunView
from flux_tui.runner.messages import ModuleInfo, Problem
from flux_tui.verbs import AnyRun

TEXTS: Final = (
    "[bold]x[/] [/b] [@click=app.quit]q[/] [",
    "t\x1b]0;PWNED\x07",
    "c\x1b[2J\x1b[H\x1b[31mred",
    "k\x1b]52;c;UFdORUQ=\x07",
    "p\x1bP+q544e\x1b\\ \x1b_x\x1b\\",
    "m\x1b[?1049l\x1b[?1000h\x1bc",
    "8\x9b2J \x9d0;PWNED\x9c \x90q\x9c \x85",
    "r\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f\u061c",
    "z\u200b\u200d\ufeff\u2060\u00ad\u180e\u200c",
    "e\u0301\u0301 \u0e01\u0e33 Z" + "\u0301" * 60,
    "日本語 👩‍👩‍👧 🏳️‍🌈 🇩🇪 ❤️ 👍🏽 ㍿",
    "h\u115f\u1160\u3164\uffa0 \ufdfa",
    "l\nb\r\nc\x0bd\x0ce\u2028f\u2029g\th\x00i\x08j\x7f",
    "v\ufe00\ufe0f\U000e0100\U000e0041\ufffa\U0001f3fb\U0010ffff",
    "$accent {x} %s \\ \\[ '\" a=b password=hunter22",
    "W" * 300,
    " ",
)
"""Names and texts, each with another way to break out of the place it is shown in."""

KEYS: Final = {f"{text}{at}": text for at, text in enumerate(TEXTS)}


def graph(name: str) -> dict[str, Any]:
    """Return a workflow of hostile steps; its edges repeat, go in circles and lead nowhere."""
    steps = [
        {
            "name": text,
            "index": at,
            "commit": at % 5 == 2,
            "conditional": at % 4 == 1,
            "description": text,
            "fingerprint": text,
            "source": {"file": f"/shop/{text}.py", "line": at, "end_line": at - 3, "function": text},
        }
        for at, text in enumerate(TEXTS)
    ]
    edges = [[TEXTS[0], text] for text in TEXTS[1:6]] + [[text, TEXTS[6]] for text in TEXTS[1:6]]
    edges += [list(pair) for pair in pairwise(TEXTS[6:])]
    edges += [[TEXTS[3], TEXTS[3]], [TEXTS[9], TEXTS[2]], ["nowhere", TEXTS[1]], edges[0]]
    return {
        "name": name,
        "description": "\n".join(TEXTS),
        "steps": steps,
        "edges": edges,
        "input_schema": schema(),
    }


def schema() -> dict[str, Any]:
    """Return a schema whose names, choices, defaults, patterns and descriptions are hostile."""
    kinds = ["string", "integer", "number", "boolean", "array", "object", "null", 3, None]
    found: dict[str, Any] = {
        text: {"type": kinds[at % len(kinds)], "description": text, "default": text, "pattern": text}
        for at, text in enumerate(TEXTS)
    }
    found["chosen"] = {"enum": [*TEXTS, None, 3, {"a": TEXTS[1]}]}
    found["self"] = {"$ref": "#/properties/self"}
    found["free"] = {"type": "string"}
    return {"type": "object", "properties": found, "required": [TEXTS[0], 3, None]}


def exception(text: str) -> dict[str, Any]:
    """Return an exception of which every part is hostile."""
    frames = [
        {"file": f"/shop/{text}.py", "line": 3, "function": text, "code": text, "user": bool(at % 2)}
        for at in range(4)
    ]
    return {
        "type": text,
        "message": f"{text}\n{text}",
        "step": text,
        "frames": frames,
        "text": "\n".join(["Traceback", *TEXTS]),
    }


def run(run_id: str, workflow: dict[str, Any], *, ago: float) -> list[TraceEvent]:
    """Return a run that printed, changed, failed, was retried and waits, all of it hostile."""
    start = started(run_id, workflow, ago=ago)
    at = start.timestamp
    common: dict[str, Any] = {"workflow_id": run_id, "workflow_name": workflow["name"]}
    events = [
        TraceEvent(
            type=EventType.WORKFLOW_START, timestamp=at, graph=start.graph, input={"in": KEYS}, **common
        )
    ]

    def tell(kind: str, name: str, **more: Any) -> None:
        events.append(
            TraceEvent(
                type=kind, timestamp=at + 10 * len(events), step_name=name, attempt=1, **common, **more
            )
        )

    for text in TEXTS[:-3]:
        tell(EventType.STEP_START, text)
        for stream in ("stdout", "stderr", "warning", text):
            tell(EventType.STEP_LOG, text, meta={"stream": stream, "text": text})
        tell(
            EventType.STEP_COMPLETE,
            text,
            duration=5.0,
            changes={
                "set": {text: text, "all": KEYS, "$type": {"$type": text, "class": text}},
                "deleted": [text],
            },
            meta={"output": [text, KEYS]},
        )
    failed, waits, skipped = TEXTS[-3:]
    tell(EventType.STEP_SKIPPED, skipped, meta={"reason": TEXTS[6]})
    tell(EventType.STEP_SUSPEND, waits, meta={"signal": TEXTS[6], "until": NOW * 1000})
    tell("odd\x1b]0;PWNED\x07", failed, meta={"text": TEXTS[6], "reason": TEXTS[7]})
    for tried in (1, 2):
        said = {"exception": exception(TEXTS[tried]), "delay": 5}
        kind = EventType.STEP_RETRY if tried == 1 else EventType.STEP_ERROR
        tell(kind, failed, error=f"{TEXTS[2]}: {TEXTS[6]}", duration=9.0, meta=said)
    events.append(
        TraceEvent(
            type=EventType.WORKFLOW_ERROR, timestamp=at + 5_000, error=TEXTS[6], status=TEXTS[6], **common
        )
    )
    return events


def modules() -> list[ModuleInfo]:
    """Return modules with hostile names: one with a workflow for each text, and one that does not load."""
    flows = [graph(text) for text in (*TEXTS[:3], *TEXTS[5:7])]
    problem = Problem(
        kind=TEXTS[6], message="\n".join(TEXTS), file=f"/shop/{TEXTS[6]}", line=1, column=2, code=TEXTS[6],
        traceback="\n".join(TEXTS),
    )  # fmt: skip
    return [module(f"{TEXTS[6]}.py", *flows), module(f"{TEXTS[2]}.py", problem=problem)]


def fill(desk: FakeDesk) -> None:
    """Give a desk the whole hostile project."""
    loaded = modules()
    desk.load(*loaded)
    flow = graph(TEXTS[6])
    for at, text in enumerate(TEXTS):
        desk.trace(*run(text, flow, ago=100.0 + at))
    done = started("done", flow, ago=50.0)
    desk.trace(*run("done", flow, ago=50.0)[:-1], completed(done))
    desk.trace(*run(TEXTS[6] + "new", flow, ago=10.0))


class HostileDesk(FakeDesk):
    """A desk whose plans and replays are hostile too, for every run."""

    async def preview(self, run: AnyRun, step: str, *, scope: str = "downstream") -> RetryPlan:
        """Return a plan that repeats hostile commits."""
        commits = tuple(RepeatedCommit(step=text, idempotency_key=text) for text in TEXTS)
        return RetryPlan(
            run_id=run.id, step=step, scope=scope, runs_again=TEXTS[:9], kept=TEXTS[9:],
            repeated_commits=commits, changed_code=TEXTS,
        )  # fmt: skip

    async def replay(self, run: RunView) -> ReplayReport:
        """Return a report that differs in everything."""
        steps = tuple(
            StepDifference(step=text, kind=kind, key=text, recorded=text, replayed=KEYS)
            for text in TEXTS
            for kind in get_args(DifferenceKind)
        )
        outcomes = dict(zip(TEXTS, TEXTS, strict=True))
        return ReplayReport(run_id=run.id, workflow=run.workflow, ok=False, steps=steps, outcomes=outcomes)
