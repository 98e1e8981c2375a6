"""The few elements that the plots are made of."""
from xml.sax.saxutils import escape

# After Okabe and Ito: told apart by colour-blind eyes, and with enough contrast on white and on black.
COLOURS = {'aviary': '#1480c8', 'apache': '#d55e00', 'floor': '#009e73'}
MORE_COLOURS = ('#cc79a7', '#8a7a00', '#3a8fd6')
MARKS = {'aviary': 'circle', 'apache': 'square', 'floor': 'triangle'}
DASHES = {'floor': '5 3'}
NAMES = {'aviary': 'Aviary', 'apache': 'Apache ZooKeeper', 'floor': 'kernel alone'}
# A grey with a contrast of more than 4 on both.
TEXT, GRID = '#767676', '#808080'
STYLE = f'text{{font:12px system-ui,sans-serif;fill:{TEXT}}}.t{{font-weight:600;font-size:13px}}'


def number(value):
    return f'{value:.1f}'.rstrip('0').rstrip('.')


def colour(name, index=0):
    return COLOURS.get(name) or MORE_COLOURS[index % len(MORE_COLOURS)]


class Drawing:
    def __init__(self, width, height, title):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      f'viewBox="0 0 {width} {height}" role="img">',
                      f'<title>{escape(title)}</title>', f'<style>{STYLE}</style>']

    def text(self, x, y, words, anchor='start', kind='', turn=None):
        kind = f' class="{kind}"' if kind else ''
        turn = f' transform="rotate({turn} {number(x)} {number(y)})"' if turn else ''
        anchor = '' if anchor == 'start' else f' text-anchor="{anchor}"'
        self.parts.append(f'<text x="{number(x)}" y="{number(y)}"{anchor}{kind}{turn}>{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, stroke=GRID, opacity=0.3, width=1):
        self.parts.append(f'<path d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}" stroke="{stroke}" '
                          f'stroke-opacity="{opacity}" stroke-width="{width}"/>')

    def curve(self, points, stroke, dash=None):
        path = 'L'.join(f'{number(x)} {number(y)}' for x, y in points)
        dash = f' stroke-dasharray="{dash}"' if dash else ''
        self.parts.append(f'<path d="M{path}" fill="none" stroke="{stroke}" stroke-width="2"{dash}/>')

    def mark(self, x, y, shape, fill, size=3.5):
        shapes = {'circle': f'<circle cx="{number(x)}" cy="{number(y)}" r="{size}"',
                  'square': f'<rect x="{number(x - size)}" y="{number(y - size)}" '
                            f'width="{2 * size}" height="{2 * size}"',
                  'triangle': f'<path d="M{number(x)} {number(y - size - 1)}l{size + 1} {2 * size}h-{2 * size + 2}z"'}
        self.parts.append(f'{shapes[shape]} fill="{fill}"/>')

    def legend(self, x, y, names, labels=NAMES):
        for index, name in enumerate(names):
            stroke = colour(name, index)
            self.curve([(x, y - 4), (x + 26, y - 4)], stroke, DASHES.get(name))
            self.mark(x + 13, y - 4, MARKS.get(name, 'circle'), stroke)
            words = labels.get(name, name)
            self.text(x + 32, y, words)
            x += 32 + 7 * len(words) + 18

    def finish(self):
        return '\n'.join([*self.parts, '</svg>']) + '\n'
