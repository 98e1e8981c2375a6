"""What is said on stderr while a measurement runs."""
import os
import sys
import time

BOLD, DIM, RED, PLAIN = '\033[1m', '\033[2m', '\033[31m', '\033[0m'


def duration(seconds):
    minutes, rest = divmod(int(seconds), 60)
    return f'{minutes} min {rest:02d} s' if minutes else f'{seconds:.0f} s'


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.is_terminal = stream.isatty()
        self.has_colours = self.is_terminal and not os.environ.get('NO_COLOR')
        self.began = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.began

    def colour(self, code, text):
        return f'{code}{text}{PLAIN}' if self.has_colours else text

    def title(self, text):
        self.line(self.colour(BOLD, text))

    def line(self, text):
        clock = self.colour(DIM, f'[{duration(self.elapsed()):>12}]')
        self.write(f'{clock} {text}\n')

    def problem(self, text):
        self.line(self.colour(RED, text))

    def passing(self, text):
        """A line that the next one overwrites; on anything but a terminal it would be noise."""
        if self.is_terminal:
            self.write(text[:os.get_terminal_size(self.stream.fileno()).columns - 1])

    def write(self, text):
        erase = '\r\033[K' if self.is_terminal else ''
        self.stream.write(erase + text)
        self.stream.flush()
