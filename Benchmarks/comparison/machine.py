"""What the figures were measured on, without names of hosts or users."""
import os
import platform
import re
import subprocess


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ''


def processor():
    found = re.search(r'^(?:model name|Model)\s*:\s*(.+)$', read('/proc/cpuinfo'), re.M)
    return ' '.join(found[1].split()) if found else platform.machine()


def memory_gib():
    found = re.search(r'^MemTotal:\s*(\d+)', read('/proc/meminfo'), re.M)
    return round(int(found[1]) / 1024 ** 2) if found else None


def file_system(directory):
    """The type of the file system that holds the servers' logs."""
    directory = os.path.realpath(directory)
    mounts = [line.split()[1:3] for line in read('/proc/mounts').splitlines()]
    holding = [m for m in mounts if os.path.commonpath([m[0], directory]) == m[0]]
    return max(holding, key=lambda m: len(m[0]))[1] if holding else 'unknown'


def java():
    try:
        said = subprocess.run(['java', '-version'], capture_output=True, text=True).stderr
    except OSError:
        return None
    found = re.search(r'version "([^"]+)"', said)
    return found[1] if found else None


def describe(directory):
    return {'processor': processor(), 'cores': len(os.sched_getaffinity(0)), 'memory_gib': memory_gib(),
            'kernel': '.'.join(platform.release().split('.')[:2]), 'file_system': file_system(directory),
            'java': java()}
