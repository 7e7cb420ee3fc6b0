"""Make thumbnails: draw a picture, measure it, shrink it to several sizes, publish a contact sheet.

Real work for the processor with Pillow (``pip install pillow``). Plain functions run in worker
threads, so that the rest of the program goes on meanwhile. Files are handed from step to step as
paths: pictures belong on disk, and the run remembers where they are.

Try it::

    flux run examples/image_processing.py:image_flow --input '{"sizes": [32, 64], "grayscale": true}'
"""

import math
import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from flux_engine import FatalError, create_workflow

OUTPUT = Path(".flux/output/images")


class ImageRequest(BaseModel):
    """How large the picture is, and which thumbnails are wanted."""

    width: int = Field(default=960, ge=16, le=4000)
    height: int = Field(default=640, ge=16, le=4000)
    sizes: list[Annotated[int, Field(ge=8, le=1024)]] = Field(default=[64, 128, 256], min_length=1)
    grayscale: bool = False


def pillow():
    """Return Pillow's modules, or fail the step for good: trying again does not install it."""
    try:
        from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - the message below is the point
    except ImportError as error:
        raise FatalError("this example needs Pillow: pip install pillow, then retry this step") from error
    return Image, ImageDraw, ImageOps


def draw(ctx):
    """Draw the picture: a spiral of discs."""
    image_module, draw_module, _ = pillow()
    width, height = ctx.input.width, ctx.input.height
    image = image_module.new("RGB", (width, height), (18, 22, 40))
    pen = draw_module.Draw(image)
    for turn in range(180):
        angle, distance = turn * 0.31, turn / 180 * min(width, height) / 2.2
        x, y = width / 2 + distance * math.cos(angle), height / 2 + distance * math.sin(angle)
        radius = 2 + turn / 12
        colour = (80 + turn % 176, 200 - turn, 255 - turn // 2)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    ctx.data.source = OUTPUT / f"{ctx.id}.png"
    image.save(ctx.data.source)


def inspect(ctx):
    """Measure the picture."""
    image_module, _, _ = pillow()
    with image_module.open(ctx.data.source) as image:
        ctx.data.info = {"width": image.width, "height": image.height, "mode": image.mode}
    ctx.logger.info(f"{ctx.data.source.stat().st_size} bytes, {ctx.data.info}")
    time.sleep(0.2)


def grayscale(ctx):
    """Take the colours out, when asked to."""
    image_module, _, ops = pillow()
    with image_module.open(ctx.data.source) as image:
        ctx.data.source = ctx.data.source.with_suffix(".gray.png")
        ops.grayscale(image).convert("RGB").save(ctx.data.source)


def thumbnails(ctx):
    """Shrink the picture to each size, its proportions kept."""
    image_module, _, _ = pillow()
    paths = {}
    for size in ctx.input.sizes:
        with image_module.open(ctx.data.source) as image:
            image.thumbnail((size, size))
            paths[str(size)] = OUTPUT / f"{ctx.id}-{size}.png"
            image.save(paths[str(size)])
        print(f"{size} px: {paths[str(size)]}")
        time.sleep(0.1)
    ctx.data.thumbnails = paths


def publish(ctx):
    """Put the thumbnails side by side on one sheet: what the outside world gets to see."""
    image_module, _, _ = pillow()
    sizes = ctx.input.sizes
    sheet = image_module.new("RGB", (sum(sizes) + 8 * (len(sizes) + 1), max(sizes) + 16), "white")
    left = 8
    for size in sizes:
        with image_module.open(ctx.data.thumbnails[str(size)]) as image:
            sheet.paste(image, (left, 8))
        left += size + 8
    ctx.data.sheet = OUTPUT / f"{ctx.id}-sheet.png"
    sheet.save(ctx.data.sheet)


image_flow = (
    create_workflow("image-processing")
    .input(ImageRequest)
    .step("draw", draw)
    .step("inspect", inspect)
    .step("grayscale", grayscale, when=lambda ctx: ctx.input.grayscale)
    .step("thumbnails", thumbnails)
    .commit("publish", publish)
)
