"""Drives a program that reads commands and prints what happened."""
import os
import re
import select
import subprocess
import time

import harness


class Shell:
    """A program whose output is read while it runs; errors and output come in one stream."""

    def __init__(self, case, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.unread = ''
        case.addCleanup(self.end)

    def type(self, line):
        self.process.stdin.write(line.encode() + b'\n')
        self.process.stdin.flush()

    def read(self, seconds):
        """Adds to `unread` what comes within the time; false at the end of the output."""
        if select.select([self.process.stdout], [], [], seconds)[0]:
            more = os.read(self.process.stdout.fileno(), 65536)
            self.unread += more.decode(errors='replace')
            return bool(more)
        return True

    def expect(self, pattern, seconds=15):
        """Waits until the output matches, and takes it off up to the end of the match."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.unread)):
            more = self.read(max(0.0, end - time.monotonic()))
            if not more or time.monotonic() > end:
                if found := re.search(pattern, self.unread):
                    break
                raise harness.TooLong(f'no {pattern!r} in the output:\n{self.unread}')
        self.unread = self.unread[found.end():]
        return found

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()
