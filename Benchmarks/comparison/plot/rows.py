"""Marks in rows over one logarithmic axis: what one thing is beside another."""
from .scale import Log, label
from .svg import MARKS, TEXT, Drawing, colour

ROW, TOP, BOTTOM, RIGHT, WIDTH = 22, 60, 48, 30, 780
LETTER = 7


def plot(title, axis_name, rows, labels, at_one=False):
    """An SVG. `rows` has for each name the marks of each series: {row: {series: [numbers]}}.

    With at_one there is a line at 1, as for ratios.
    """
    values = [v for marks in rows.values() for numbers in marks.values() for v in numbers if v > 0]
    if not values:
        return None
    drawing = Drawing(WIDTH, TOP + ROW * len(rows) + BOTTOM, title)
    drawing.text(10, 18, title, kind='t')
    names = list(dict.fromkeys(name for marks in rows.values() for name in marks))
    looks = {name: (MARKS.get(name) or list(MARKS.values())[i % 3], colour(name, i)) for i, name in enumerate(names)}
    legend(drawing, looks, labels)
    scale, left = Log(values + ([1] if at_one else [])), 20 + LETTER * max(map(len, rows))

    def x_of(value):
        return left + scale.place(value) * (WIDTH - left - RIGHT)

    draw_axis(drawing, scale, x_of, TOP + ROW * len(rows), axis_name, at_one)
    for index, (row, marks) in enumerate(rows.items()):
        y = TOP + ROW * (index + 0.5)
        drawing.text(left - 10, y + 4, row, 'end')
        drawing.line(left, y, WIDTH - RIGHT, y)
        for name, numbers in marks.items():
            for value in numbers:
                if value > 0:
                    drawing.mark(x_of(value), y, looks[name][0], looks[name][1], 4.5)
    return drawing.finish()


def draw_axis(drawing, scale, x_of, bottom, name, at_one):
    for tick in scale.ticks:
        drawing.line(x_of(tick), TOP - 4, x_of(tick), bottom)
        drawing.text(x_of(tick), bottom + 16, label(tick), 'middle')
    if at_one:
        drawing.line(x_of(1), TOP - 4, x_of(1), bottom, TEXT, 1, 1.5)
    drawing.text((x_of(scale.ticks[0]) + WIDTH - RIGHT) / 2, bottom + 36, name, 'middle')


def legend(drawing, looks, labels):
    x = 10
    for name, (shape, fill) in looks.items():
        drawing.mark(x + 6, 36, shape, fill, 4.5)
        drawing.text(x + 16, 40, labels.get(name, name))
        x += 16 + 7 * len(labels.get(name, name)) + 22
