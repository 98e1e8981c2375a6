"""A pytest plugin: gives kazoo's tests our servers, ends tests that hang, and files the results."""
import os
import signal
import sys

import pytest

import servers

sys.modules['kazoo.testing.common'] = servers

LONGEST_TEST_SECONDS = 30
RESULTS = open(os.environ.get('KAZOO_RESULTS', os.devnull), 'w', buffering=1)
WORSE = ('PASS', 'SKIP', 'FAIL')

results = {}


def file_result(name, result):
    """Keeps the worst of what a test's set-up, body and tear-down gave."""
    results[name] = max(result, results.get(name, 'PASS'), key=WORSE.index)


def too_long(*_):
    raise servers.harness.TooLong(f'the test took more than {LONGEST_TEST_SECONDS} s')


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.nodeid)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol():
    signal.signal(signal.SIGALRM, too_long)
    # Again after some seconds, since a tear-down may hang as well.
    signal.setitimer(signal.ITIMER_REAL, LONGEST_TEST_SECONDS, 5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def pytest_runtest_logreport(report):
    if report.failed:
        file_result(report.nodeid, 'FAIL')
    elif report.skipped:
        file_result(report.nodeid, 'SKIP')
    elif report.when == 'call':
        file_result(report.nodeid, 'PASS')


def pytest_runtest_logfinish(nodeid):
    RESULTS.write(f'{results[nodeid]} {nodeid}\n')


def pytest_collectreport(report):
    if report.failed:
        RESULTS.write(f'FAIL {report.nodeid}\n')


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    sys.stdout.flush()
    # Threads that a failed test left behind must not keep the process alive.
    os._exit(0)
