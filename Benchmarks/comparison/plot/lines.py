"""Curves over one axis, in panels side by side."""
from dataclasses import dataclass, field

from .scale import Linear, Log, label
from .svg import DASHES, MARKS, TEXT, Drawing, colour

HEIGHT, TOP, BOTTOM, LEFT, RIGHT, LEGEND = 230, 26, 46, 58, 20, 52


@dataclass
class Axis:
    name: str
    is_log: bool = False
    ticks: tuple = None
    labels: dict = field(default_factory=dict)

    def scale(self, values):
        if self.is_log:
            return Log(values, self.ticks)
        return Linear(values, self.ticks)

    def label(self, value):
        return self.labels.get(value) or label(value)


@dataclass
class Panel:
    title: str
    x: Axis
    y: Axis
    curves: dict  # name: [(x, y)]

    def numbers(self, index):
        return [point[index] for points in self.curves.values() for point in points]


def plot(title, panels, shares_y=False):
    """An SVG. With shares_y every panel has the same scale, so that they compare."""
    panels = [panel for panel in panels if panel.numbers(0)]
    if not panels:
        return None
    width = max(300, 780 // len(panels))
    drawing = Drawing(width * len(panels), LEGEND + TOP + HEIGHT + BOTTOM, title)
    drawing.text(10, 18, title, kind='t')
    drawing.legend(10, 40, list(dict.fromkeys(name for panel in panels for name in panel.curves)))
    common = [value for panel in panels for value in panel.numbers(1)]
    for index, panel in enumerate(panels):
        draw(drawing, panel, index * width, width, common if shares_y else panel.numbers(1))
    return drawing.finish()


def draw(drawing, panel, offset, width, y_values):
    x_scale, y_scale = panel.x.scale(panel.numbers(0)), panel.y.scale(y_values)
    left, right, top = offset + LEFT, offset + width - RIGHT, LEGEND + TOP
    bottom = top + HEIGHT

    def place(x, y):
        return left + x_scale.place(x) * (right - left), bottom - y_scale.place(y) * (bottom - top)

    drawing.text((left + right) / 2, top - 10, panel.title, 'middle')
    for tick in y_scale.ticks:
        y = place(x_scale.ticks[0], tick)[1]
        drawing.line(left, y, right, y)
        drawing.text(left - 6, y + 4, panel.y.label(tick), 'end')
    for tick in x_scale.ticks:
        x = place(tick, y_scale.ticks[0])[0]
        drawing.line(x, bottom, x, bottom + 4, opacity=1)
        drawing.text(x, bottom + 17, panel.x.label(tick), 'middle')
    drawing.line(left, bottom, right, bottom, TEXT, 1)
    drawing.text((left + right) / 2, bottom + 36, panel.x.name, 'middle')
    drawing.text(offset + 13, (top + bottom) / 2, panel.y.name, 'middle', turn=-90)
    for index, (name, points) in enumerate(panel.curves.items()):
        stroke, places = colour(name, index), [place(x, y) for x, y in points]
        drawing.curve(places, stroke, DASHES.get(name))
        for x, y in places:
            drawing.mark(x, y, MARKS.get(name, 'circle'), stroke)
