"""Line charts as SVG, side by side, on axes that are logarithmic to the base 2 or linear from 0."""

import html
import math

WIDTH, HEIGHT = 420, 300  # of a chart, with its texts
LEFT, TOP, BOTTOM, RIGHT = 62, 34, 42, 14
# Told apart by people who do not see all colours (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
LEGEND_LINE = 18


def charts(panels):
    """The text of an SVG file.

    Each panel is {"title", "x", "y", "lines": {name: [(x, median, lowest, highest), ...]}}; a line has
    the same colour in all panels.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel["lines"]))
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
    rows = math.ceil(len(names) / 2)
    width, height = WIDTH * len(panels), HEIGHT + LEGEND_LINE * rows + 10
    body = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for at, panel in enumerate(panels):
        body += [f'<g transform="translate({WIDTH * at} 0)">', *_panel(panel, colours), "</g>"]
    body += _legend(colours, width)
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
                      f' width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
                      *body, "</svg>"]) + "\n"


def ticks(highest):
    """Round numbers from 0 to at least `highest`, at most seven of them."""
    if highest <= 0:
        return [0, 1]
    size = 10 ** math.floor(math.log10(highest))
    step = next(size * part for part in (0.2, 0.5, 1, 2) if highest / (size * part) <= 6)
    return [step * at for at in range(math.ceil(highest / step) + 1)]


def _panel(panel, colours):
    points = [point for line in panel["lines"].values() for point in line]
    marks = ticks(max(point[1] for point in points))
    xs = sorted({point[0] for point in points})
    across = _scale([math.log2(x) for x in xs], LEFT, WIDTH - RIGHT)
    up = _scale([0, marks[-1]], HEIGHT - BOTTOM, TOP)
    yield _text(LEFT, 20, panel["title"], "start", "bold")
    for mark in marks:
        yield (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(mark):.1f}" y2="{up(mark):.1f}"'
               ' stroke="#dddddd"/>')
        yield _text(LEFT - 6, up(mark) + 4, f"{mark:,g}", "end")
    for x in xs:
        yield _text(across(math.log2(x)), HEIGHT - BOTTOM + 18, f"{x:g}", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, panel["x"], "middle")
    yield (f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"'
           f' text-anchor="middle">{html.escape(panel["y"])}</text>')
    for name, line in panel["lines"].items():
        yield from _line(line, colours[name], across, up)


def _line(line, colour, across, up):
    places = [(across(math.log2(x)), up(y)) for x, y, _, _ in line]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for (x, y), (_, _, lowest, highest) in zip(places, line):
        top = max(up(highest), TOP)
        yield (f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{up(lowest):.1f}" y2="{top:.1f}"'
               f' stroke="{colour}" opacity="0.4"/>')
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _legend(colours, width):
    for at, (name, colour) in enumerate(colours.items()):
        x, y = LEFT + at % 2 * width / 2, HEIGHT + LEGEND_LINE * (at // 2) + 10
        yield (f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" stroke="{colour}"'
               ' stroke-width="2"/>')
        yield _text(x + 28, y + 4, name, "start")


def _scale(values, first, last):
    low, high = min(values), max(values)
    if high == low:
        return lambda value: (first + last) / 2
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _text(x, y, text, anchor, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">'
            f'{html.escape(text)}</text>')
