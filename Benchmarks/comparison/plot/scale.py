"""Where a number lies on an axis, and which numbers are written beside it."""
import math


def label(value):
    """1500 as 1.5k, 0.05 as 0.05."""
    for size, letter in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
        if abs(value) >= size:
            return f'{value / size:g}{letter}'
    return f'{value:g}'


class Linear:
    def __init__(self, values, ticks=None, to_zero=True):
        low, high = min(values), max(values)
        self.low = 0 if to_zero else low
        step = nice_step((high - self.low) or 1)
        self.high = max(high, self.low + step) if ticks else math.ceil((high or 1) / step) * step
        count = int((self.high - self.low) / step + 1.001)
        self.ticks = list(ticks or (round(self.low + i * step, 10) for i in range(count)))

    def place(self, value):
        """From 0 to 1."""
        return (value - self.low) / (self.high - self.low)


class Log:
    """Powers; where there is a zero, it stands a step before the lowest."""

    def __init__(self, values, ticks=None):
        positive = [v for v in values if v > 0] or [1]
        self.low, self.high = min(positive), max(positive)
        if self.low == self.high:
            self.low, self.high = self.low / 2, self.high * 2
        if ticks is None:
            ticks = log_ticks(self.low, self.high)
            self.low, self.high = min(self.low, ticks[0]), max(self.high, ticks[-1])
        self.zero = self.low / 4 if any(v <= 0 for v in values) else None
        self.ticks = ([0] if self.zero else []) + [t for t in ticks if t > 0]
        self.low = self.zero or self.low

    def place(self, value):
        value = value if value > 0 else self.zero
        return math.log(value / self.low) / math.log(self.high / self.low)


def nice_step(span, wanted=5):
    raw = span / wanted
    power = 10 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)


def log_ticks(low, high):
    """Powers of ten around low and high, with 2 and 5 between them where there are few."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if last - first > 2:
        return [10.0 ** e for e in range(first, last + 1)]
    ticks = [m * 10.0 ** e for e in range(first, last + 1) for m in (1, 2, 5)]
    below = [t for t in ticks if t <= low * 1.001] or ticks[:1]
    above = [t for t in ticks if t >= high * 0.999] or ticks[-1:]
    return [t for t in ticks if below[-1] <= t <= above[0]]
