"""What was measured, and where."""


def part(documents):
    machines = {}
    for document in documents:
        machines.setdefault(describe(document), []).append(document['unit'])
    if len(machines) == 1:
        return next(iter(machines))
    return '\n'.join(f'- {", ".join(units)}: {text}' for text, units in machines.items())


def describe(document):
    m, versions = document['machine'], document['versions']
    servers = ' and '.join(f'{name.capitalize()} {version}' for name, version in sorted(versions.items()) if version)
    cores = 'core' if m['cores'] == 1 else 'cores'
    return (f'{servers}, Java {m["java"]}; {m["cores"]} {cores} of {m["processor"]}, {m["memory_gib"]} GiB, '
            f'Linux {m["kernel"]}, {m["file_system"]}. The load ran on the same {cores}.')
