# `just` alone: lint, types, tests. Everything runs in .venv (README) where there is one.
export PATH := justfile_directory() / ".venv/bin" + ":" + env("PATH")

default: lint types test

# Style and formatting
lint:
    ruff check .
    ruff format --check .

# Static types
types:
    pyright

# The suite; arguments go to pytest
test *arguments:
    python -m pytest {{ arguments }}

# Run the study NAME; further arguments go to `linstudy run`
study NAME *arguments:
    linstudy run {{ NAME }} {{ arguments }}

# Every figure that has rows, and the page of claims, from SQL alone
report *arguments:
    linstudy report {{ arguments }}

# Times and ratios, printed, never asserted; all of it, or the parts that are named (`just bench --help`)
bench *arguments:
    python tests/benchmarks/bench.py {{ arguments }}

# Kills, crashes, full disks and damaged files, for hours; `--quick` tries a few of each kind
faults *arguments:
    python tests/faults/faults.py {{ arguments }}
