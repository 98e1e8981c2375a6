# Thin names for the scripts; each can be run by itself.
.PHONY: build run check format test crash torture fuzz simulate bench

build:
	swift build -c release --product aviary

run:
	swift run -c release aviary server

check:
	Scripts/check

format:
	Scripts/format

test:
	Scripts/test

crash:
	Scripts/crash-test

torture:
	Scripts/torture

fuzz:
	Scripts/fuzz

simulate:
	swift run -c release aviary simulate --seed $(or $(SEED),1) --count $(or $(COUNT),1)

bench:
	Scripts/bench
