"""What is done to an ensemble, chosen at random from a seed: which fault, to whom, and for how long."""
import collections
import random
import time

MOST_AT_A_TIME = 3
# How often each kind is chosen.
KINDS = {'kill': 14, 'kill leader': 8, 'pause': 12, 'pause leader': 5, 'cut link': 12, 'cut one way': 10,
         'stall link': 8, 'delay link': 10, 'delay all': 3, 'reset link': 8, 'partition leader': 8,
         'partition one': 6, 'split': 5, 'restart': 5, 'restart all': 3}


class Nemesis:
    """Begins faults and ends them again."""

    def __init__(self, ensemble, seed, say):
        self.ensemble = ensemble
        self.random = random.Random(f'{seed} nemesis')
        self.say = say
        self.counts = collections.Counter()
        # (when it ends, what it was, how it ends)
        self.active = []

    def storm(self, seconds, watch):
        """Faults for so long; `watch` is called all the time."""
        end = time.monotonic() + seconds
        next_at = time.monotonic()
        while time.monotonic() < end:
            now = time.monotonic()
            for one in [one for one in self.active if one[0] <= now]:
                self.finish(one)
            if now >= next_at and len(self.active) < MOST_AT_A_TIME:
                self.begin()
                next_at = now + self.random.choice((0.1, 0.5, 1.0, 2.0)) * self.random.uniform(0.5, 1.5)
            watch()
            time.sleep(0.02)

    def calm(self):
        """Ends every fault; all members run and reach each other."""
        for one in list(self.active):
            self.finish(one)
        self.ensemble.proxy.order('heal')
        for member in self.ensemble.members:
            if member.expected_dead:
                member.spawn()

    def finish(self, one):
        self.active.remove(one)
        self.say(f'over: {one[1]}')
        one[2]()

    def begin(self):
        kind = self.random.choices(list(KINDS), KINDS.values())[0]
        started = getattr(self, kind.replace(' ', '_'))()
        if started:
            seconds, what, undo = started
            self.counts[kind] += 1
            what = f'{kind}: {what} for {seconds:.1f} s'
            self.say(what)
            self.active.append((time.monotonic() + seconds, what, undo))

    def any_member(self):
        return self.random.choice(self.ensemble.members)

    def leader(self):
        """Draws as often when there is none, so that the seed's choices stay the same for longer."""
        other = self.any_member()
        return self.ensemble.leader() or other

    def kill(self, member=None):
        member = member or self.any_member()
        seconds = self.random.choice((0.0, 0.3, 1.0, 3.0, 6.0))
        if member.expected_dead:
            return None
        member.kill()
        return seconds, f'member {member.identity}', lambda: member.expected_dead and member.spawn()

    def kill_leader(self):
        return self.kill(self.leader())

    def pause(self, member=None):
        member = member or self.any_member()
        seconds = self.random.choice((self.random.uniform(0.1, 1), self.random.uniform(1, 8)))
        if member.expected_dead:
            return None
        process = member.process
        member.pause()
        # It may have been killed and started again meanwhile.
        return seconds, f'member {member.identity}', lambda: process.poll() is None and member.go_on()

    def pause_leader(self):
        return self.pause(self.leader())

    def pair(self):
        one, other = self.random.sample([member.identity for member in self.ensemble.members], 2)
        return [(one, other)]

    def link_fault(self, order, undo, flows, what, *more):
        seconds = self.random.choice((0.3, 1.0, 3.0, 6.0)) * self.random.uniform(0.5, 1.3)
        proxy = self.ensemble.proxy
        proxy.order(order, flows, *more)

        def end():
            proxy.order(undo, flows, *(0.0 for _ in more))
            # A real network comes back with its old connections or without them.
            if order == 'hold' and with_reset:
                proxy.order('reset', flows)
        with_reset = self.random.random() < 0.4
        return seconds, what, end

    def cut_link(self):
        pairs = self.pair()
        return self.link_fault('cut', 'mend', self.ensemble.flows(pairs), f'{pairs}')

    def cut_one_way(self):
        pairs = self.pair()
        return self.link_fault('hold', 'release', pairs, f'from {pairs[0][0]} to {pairs[0][1]}')

    def stall_link(self):
        pairs = self.pair()
        return self.link_fault('hold', 'release', self.ensemble.flows(pairs), f'{pairs}')

    def delay_link(self):
        pairs, seconds = self.pair(), self.random.uniform(0.02, 0.6)
        what = f'{pairs} by {seconds:.2f} s'
        return self.link_fault('delay', 'delay', self.ensemble.flows(pairs), what, seconds)

    def delay_all(self):
        identities = [member.identity for member in self.ensemble.members]
        pairs = [(one, other) for one in identities for other in identities if one < other]
        seconds = self.random.uniform(0.01, 0.15)
        return self.link_fault('delay', 'delay', self.ensemble.flows(pairs), f'by {seconds:.2f} s', seconds)

    def reset_link(self):
        pairs = self.pair()
        self.ensemble.proxy.order('reset', pairs)
        return 0.0, f'{pairs}', lambda: None

    def cut_off(self, side):
        """Separates some members from the others, with or without a word."""
        others = [member.identity for member in self.ensemble.members if member.identity not in side]
        pairs = [(one, other) for one in side for other in others]
        how = self.random.choice((('cut', 'mend'), ('hold', 'release')))
        return self.link_fault(*how, self.ensemble.flows(pairs), f'{side} from {others} ({how[0]})')

    def partition_leader(self):
        return self.cut_off([self.leader().identity])

    def partition_one(self):
        return self.cut_off([self.any_member().identity])

    def split(self):
        size = self.random.randrange(1, len(self.ensemble.members) // 2 + 1)
        side = self.random.sample([member.identity for member in self.ensemble.members], size)
        return self.cut_off(sorted(side))

    def restart(self):
        """As for an upgrade: asked to end, and started again."""
        member = self.any_member()
        seconds = self.random.choice((0.3, 1.0, 3.0))
        if member.expected_dead or member.is_paused:
            return None
        member.ask_to_end()
        return seconds, f'member {member.identity}', lambda: member.expected_dead and member.spawn()

    def restart_all(self):
        members = [member for member in self.ensemble.members if not member.expected_dead]
        for member in members:
            member.expected_dead = True
            member.process.kill()
        for member in members:
            member.kill()
        seconds = self.random.choice((0.0, 0.5))

        def start():
            for member in self.ensemble.members:
                if member.expected_dead:
                    member.spawn()
        return seconds, 'all members', start
