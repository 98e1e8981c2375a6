"""One run of Scripts/torture: storms of faults and quiet phases in turn, under load."""
import os
import pathlib
import random
import sys
import tempfile
import time

import torture_checkers
import torture_clients
import torture_comparison
import torture_ensemble
import torture_faults
from torture_history import FOREVER, History, Violation

STEP_LIMIT_SECONDS = 90.0
CLIENTS_SECONDS = 30.0
# Checking takes time, so the whole history is looked at when it has grown by this factor.
GROWTH = 1.5
SHOW_EVERY_SECONDS = 1.0


class Torture:

    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='aviary-torture-'))
        self.began = time.monotonic()
        self.history = History()
        self.violations, self.ignored, self.stale, self.in_step = [], [], [], []
        # When clients rested: (from, to).
        self.rests = []
        self.random = random.Random(f'{options.seed} rounds')
        self.rounds = self.checked = 0
        self.shown_at = 0.0
        self.faults_log = open(self.directory / 'faults.log', 'w')
        self.clients, self.ensemble, self.shared = [], None, None

    def now(self):
        return time.monotonic() - self.began

    def say(self, line):
        if not self.options.json:
            # What `show` left there is longer than no line.
            print(line.ljust(100) if sys.stdout.isatty() else line, flush=True)

    def show(self):
        """On a terminal, one line that says how it goes on."""
        if self.options.json or self.options.verbose or not sys.stdout.isatty():
            return
        if self.now() > self.shown_at + SHOW_EVERY_SECONDS:
            self.shown_at = self.now()
            active = ', '.join(one[1].partition(':')[0] for one in self.nemesis.active)
            line = f'{self.now():6.0f} s  {len(self.history.operations)} operations; now: {active or "no fault"}'
            print(line.ljust(100)[:100], end='\r', flush=True)

    def note(self, line):
        """In the log of faults, with the time that is also in the history."""
        print(f'{self.now():9.3f} {line}', file=self.faults_log, flush=True)
        if self.options.verbose:
            self.say(f'{self.now():9.3f} {line}')

    def violation(self, checker, text, excerpt=()):
        self.add([Violation(checker, text, excerpt)])

    def add(self, violations):
        """Those that are new. The whole history is looked at again each time."""
        known = {one.text for one in self.violations + self.ignored}
        for one in violations:
            if one.text not in known:
                (self.ignored if one.checker in self.options.ignore else self.violations).append(one)

    # The run

    def run(self):
        self.begin()
        end = time.monotonic() + self.options.seconds
        while time.monotonic() < end and not self.violations:
            self.rounds += 1
            seconds = min(self.random.uniform(*self.options.storm), max(end - time.monotonic(), 1))
            self.nemesis.storm(seconds, self.watch_processes)
            self.quiet_phase(last=time.monotonic() >= end)
            self.progress()
        self.finish()

    def begin(self):
        options = self.options
        kinds = ['aviary'] * (options.servers - options.apache) + ['apache'] * options.apache
        self.random.shuffle(kinds)
        self.say(f'seed {options.seed}; servers: {", ".join(kinds)}; directory {self.directory}')
        self.ensemble = torture_ensemble.TorturedEnsemble(kinds, directory=self.directory)
        self.ensemble.start()
        torture_clients.prepare(self.ensemble.leader(), self.history)
        self.nemesis = torture_faults.Nemesis(self.ensemble, options.seed, self.note)
        self.shared = torture_clients.Shared(self.ensemble.members, self.history, self.began,
                                             options.rate / options.clients)
        self.clients = [torture_clients.Client(self.shared, n, options.seed) for n in range(options.clients)]
        self.rests.append((0.0, self.now()))
        for client in self.clients:
            client.start()

    def progress(self):
        faults = sum(self.nemesis.counts.values())
        memory = ' '.join(f'{member.megabytes():.0f}' for member in self.ensemble.members)
        took = f'{self.in_step[-1]:.1f} s' if self.in_step else '-'
        self.say(f'{self.now():6.0f} s  round {self.rounds}: {len(self.history.operations)} '
                 f'operations, {len(self.history.events)} events, {faults} faults, in step after {took}, '
                 f'{memory} MB')

    def watch_processes(self):
        self.show()
        for member in self.ensemble.members:
            if member.ended_by_itself():
                member.expected_dead = True
                self.violation('processes', f'member {member.identity} ended by itself with code '
                               f'{member.process.returncode}; its log is {member.log}',
                               member.log_text().splitlines()[-25:])
            if member.ended_badly:
                self.violation('processes', f'{member.ended_badly}; its log is {member.log}')

    # Quiet

    def quiet_phase(self, last):
        """Ends all faults, and looks at what all members have come to."""
        self.nemesis.calm()
        self.note('quiet')
        if not self.wait_until_in_step():
            return
        rest_from = self.now()
        self.shared.quiet.set()
        self.wait_for_clients()
        self.compare(last)
        for member in self.ensemble.members:
            if crashes := member.crashes():
                self.violation('processes', f'the log {member.log} tells of a crash', crashes[:10])
        if last or len(self.history.operations) > self.checked * GROWTH:
            self.check()
        if not last and not self.violations:
            for client in self.clients:
                client.rests.clear()
            self.shared.quiet.clear()
            self.rests.append((rest_from, self.now()))
            time.sleep(self.random.uniform(0.2, 2))
        else:
            self.rests.append((rest_from, FOREVER))

    def wait_until_in_step(self):
        """Whether all serve and have done a write that was asked for after the last fault."""
        began, load = time.monotonic(), os.getloadavg()[0] / (os.cpu_count() or 1)
        limit = self.options.in_step * max(1.0, load if self.options.patient else 1.0)
        zxid, members = None, self.ensemble.members
        served = {}
        while time.monotonic() - began < STEP_LIMIT_SECONDS:
            self.watch_processes()
            zxid = zxid or torture_comparison.write_nothing(members)
            for member in members:
                if member not in served and zxid and member.is_serving() and (member.zxid() or 0) >= zxid:
                    served[member] = time.monotonic() - began
            if len(served) == len(members):
                self.came_in_step(max(served.values()), limit, load, served)
                return True
            time.sleep(0.05)
        states = [f'member {member.identity}: {member.mode() or "does not serve"}, zxid '
                  f'{member.zxid() or 0:#x}, log {member.log}' for member in members]
        self.violation('in step', f'not within {STEP_LIMIT_SECONDS:.0f} s after the last fault', states)
        return False

    def came_in_step(self, taken, limit, load, served):
        self.in_step.append(taken)
        each = ', '.join(f'{member.identity}: {seconds:.2f} s' for member, seconds in served.items())
        self.note(f'in step after {taken:.2f} s ({each}), load {load:.1f}')
        if taken > limit:
            self.violation('in step', f'round {self.rounds}: it took {taken:.1f} s after the last fault (limit '
                           f'{limit:.1f} s; load of each core {load:.1f}); see the end of faults.log and of the '
                           'logs of the members', [each])

    def wait_for_clients(self):
        end = time.monotonic() + CLIENTS_SECONDS
        while time.monotonic() < end and not all(client.rests.is_set() for client in self.clients):
            self.show()
            time.sleep(0.05)
        for client in self.clients:
            session = client.session and hex(client.session[0])
            if not client.is_alive():
                self.violation('clients', f'client {client.number} ended')
            elif not client.rests.is_set():
                self.violation('clients', f'client {client.number} is not served within {CLIENTS_SECONDS:.0f} s '
                               f'though all members serve; its session is {session}')

    def compare(self, last):
        keys = set()
        if last:
            keys = {key for one in self.history.operations for key, _ in one.writes if not key.endswith('?')}
        keys |= set(torture_clients.REGISTERS + torture_clients.FLEETING)
        lines, judgements = torture_comparison.compare(self.ensemble, keys, self.now)
        if lines:
            self.violation('agreement', 'the members do not have the same, though nobody writes', lines[:20])
        self.history.operations.extend(judgements)

    def check(self):
        history = self.history.copy()
        self.checked = len(history.operations)
        self.stale = []
        self.add(torture_checkers.check(history, None if self.options.strict_sync else self.stale))

    # At the end

    def broken_off(self):
        """The run itself failed: what there is may tell why."""
        self.shared and self.shared.ending.set()
        self.keep_history()
        print(f'the run was broken off; history, faults.log and logs: {self.directory}', file=sys.stderr)

    def finish(self):
        self.shared.ending.set()
        for client in self.clients:
            client.join(10)
        if self.violations and self.checked < len(self.history.operations):
            self.check()
        if self.violations or self.options.keep:
            self.keep_history()
            found = [line for one in self.violations + self.ignored for line in one.lines()]
            (self.directory / 'violations.txt').write_text('\n'.join(found) + '\n')

    def keep_history(self):
        with open(self.directory / 'history.txt', 'w') as file:
            entries = [(one.invoked, str(one)) for one in self.history.operations]
            entries += [(one.time, str(one)) for one in self.history.events]
            file.writelines(f'{line}\n' for _, line in sorted(entries))

    def stop(self):
        if self.ensemble:
            for member in self.ensemble.members:
                member.expected_dead = True
            self.ensemble.stop()
