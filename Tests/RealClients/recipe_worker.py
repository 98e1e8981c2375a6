"""One process that takes part in a kazoo recipe: recipe_worker.py ROLE HOSTS PATH FOLDER NUMBER.

It prints one line for each thing that happened, and waits for a line where its role says so.
"""
import os
import pathlib
import sys
import time

from kazoo.client import KazooClient

ROLE, HOSTS, PATH = sys.argv[1:4]
FOLDER = pathlib.Path(sys.argv[4])
NUMBER = int(sys.argv[5])
NAME = f'process-{os.getpid()}'


def say(*words):
    print(*words, flush=True)


def wait_for_line():
    if not sys.stdin.readline():
        sys.exit(1)


def count_alone():
    """Adds one to a number in a file. Says so when another process is here at the same time."""
    try:
        os.close(os.open(FOLDER / 'inside', os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        say('not-alone')
        return
    count = FOLDER / 'count'
    value = int(count.read_text()) if count.exists() else 0
    time.sleep(0.001)
    count.write_text(str(value + 1))
    os.unlink(FOLDER / 'inside')


def lock(client):
    mutex = client.Lock(PATH, NAME)
    wait_for_line()
    for _ in range(NUMBER):
        with mutex:
            count_alone()


def election(client):
    def lead():
        say('leads', time.monotonic())
        count_alone()
        wait_for_line()
    client.Election(PATH, NAME).run(lead)


def counter(client):
    shared = client.Counter(PATH)
    wait_for_line()
    for step in range(NUMBER):
        shared += 2
        shared -= 1


def barrier(client):
    gate = client.Barrier(PATH)
    say('waits')
    say('passed' if gate.wait(30) else 'gave-up', time.monotonic())


def double_barrier(client):
    for round_number in range(NUMBER):
        gate = client.DoubleBarrier(f'{PATH}/{round_number}', 2, NAME)
        for name, step in (('enter', gate.enter), ('leave', gate.leave)):
            began = time.monotonic()
            step()
            say(name, round_number, began, time.monotonic())


def party(client):
    group = client.Party(PATH, NAME)
    group.join()
    say('joined', NAME)
    wait_for_line()
    group.leave()
    say('left', NAME)
    wait_for_line()


def queue(client):
    items = client.Queue(PATH)
    wait_for_line()
    while len(items):
        item = items.get()
        if item is not None:
            say('took', item.decode())


def locking_queue(client):
    items = client.LockingQueue(PATH)
    wait_for_line()
    while len(items):
        item = items.get(timeout=1)
        if item is not None:
            say('took' if items.consume() else 'lost', item.decode())


def main():
    retry = {'max_tries': -1, 'delay': 0.002, 'max_delay': 0.05}
    client = KazooClient(HOSTS, timeout=4.0, command_retry=retry)
    client.start(15)
    say('ready')
    globals()[ROLE](client)
    client.stop()
    say('done')


main()
