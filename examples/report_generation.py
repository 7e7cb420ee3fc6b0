"""Make a sales report: collect the sales, add them up, write Markdown and CSV files.

The data of this workflow is a pydantic model (``.data(SalesData)``): an editor knows what
``ctx.data`` has, and a value that does not fit the model fails the step that put it there.

Try it::

    flux run examples/report_generation.py:report_flow --input '{"month": "2025-02", "formats": ["csv"]}'
"""

import asyncio
import csv
import random
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from flux_engine import create_workflow

REGIONS = ("North", "South", "East", "West")
OUTPUT = Path(".flux/output/reports")


class ReportRequest(BaseModel):
    """Which month to report on, and in which formats."""

    month: str = Field(default="2025-01", pattern=r"^\d{4}-\d{2}$")
    formats: list[Literal["markdown", "csv"]] = ["markdown", "csv"]


class Sale(BaseModel):
    """One sale, as the shop's database would give it."""

    region: str
    amount: Decimal


class SalesData(BaseModel):
    """What the steps hand on to each other."""

    sales: list[Sale] = []
    totals: dict[str, Decimal] = {}
    files: list[Path] = []


async def collect(ctx):
    """Read the month's sales: made up, but the same for the same month."""
    dice = random.Random(ctx.input.month)
    for region in REGIONS:
        await asyncio.sleep(0.1)
        amounts = [Decimal(dice.randint(500, 9900)) / 100 for _ in range(6)]
        ctx.data.sales += [Sale(region=region, amount=amount) for amount in amounts]
        ctx.logger.info(f"{region}: {len(amounts)} sales")
    return len(ctx.data.sales)


def aggregate(ctx):
    """Add up the sales of each region."""
    totals = dict.fromkeys(REGIONS, Decimal(0))
    for sale in ctx.data.sales:
        totals[sale.region] += sale.amount
    ctx.data.totals = totals


def write_markdown(ctx):
    """Write the report as a Markdown table."""
    rows = [f"| {region} | {total:.2f} |" for region, total in ctx.data.totals.items()]
    table = ["| Region | Total |", "| --- | ---: |", *rows]
    path = OUTPUT / f"{ctx.input.month}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"# Sales {ctx.input.month}", "", *table, ""]), encoding="utf-8")
    ctx.data.files = [*ctx.data.files, path]


def write_csv(ctx):
    """Write the report for a spreadsheet."""
    path = OUTPUT / f"{ctx.input.month}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("region", "total"), *ctx.data.totals.items()])
    ctx.data.files = [*ctx.data.files, path]


async def announce(ctx):
    """Say where the report is."""
    await asyncio.sleep(0.2)
    print("written:", *ctx.data.files)


report_flow = (
    create_workflow("report-generation")
    .input(ReportRequest)
    .data(SalesData)
    .step("collect", collect)
    .step("aggregate", aggregate)
    .commit("write-markdown", write_markdown, when=lambda ctx: "markdown" in ctx.input.formats)
    .commit("write-csv", write_csv, when=lambda ctx: "csv" in ctx.input.formats)
    .step("announce", announce)
)
