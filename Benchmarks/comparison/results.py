"""The JSON files that hold what was measured, one for each unit."""
import json
import os

from .load import complaint


def path(directory, unit):
    return os.path.join(directory, 'benchmarks', unit + '.json')


def save(directory, unit, document):
    target = path(directory, unit)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target + '.new', 'w') as f:
        f.write(text(document) + '\n')
    os.replace(target + '.new', target)


def load(directory, unit):
    """None if it has not been measured."""
    try:
        with open(path(directory, unit)) as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def is_flat(value):
    inner = value.values() if isinstance(value, dict) else value
    return not any(isinstance(each, (dict, list)) for each in inner)


def text(value, indent=0):
    """As json.dumps, but what holds no other list or object stays on a line."""
    if not isinstance(value, (dict, list)) or is_flat(value):
        return json.dumps(value)
    space = ' ' * (indent + 1)
    if isinstance(value, dict):
        parts, ends = [f'{json.dumps(k)}: {text(v, indent + 1)}' for k, v in value.items()], '{}'
    else:
        parts, ends = [text(each, indent + 1) for each in value], '[]'
    return ends[0] + '\n' + ',\n'.join(space + part for part in parts) + '\n' + ' ' * indent + ends[1]


def complaints(value, where=''):
    """Every row that failed or had errors, with the way to it."""
    if isinstance(value, dict):
        said = complaint(value)
        if said:
            return [f'{where.strip()}: {said}']
        return [c for key, each in value.items() for c in complaints(each, f'{where} {key}')]
    if isinstance(value, list):
        return [c for each in value for c in complaints(each, where)]
    return []
