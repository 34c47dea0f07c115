from small_history import PROBE, SPECTRUM, TRAINING, make_history

from linstudy.describe.details import describe_runs


def shown(run_id, workspace):
    """The lines, without the times."""
    lines = []
    for line in describe_runs([run_id], workspace):
        before, utc, after = line.partition(" UTC, ")
        lines.append(f"{before[: -len('2026-01-01 00:00:00')]}{after.partition(', ')[2]}" if utc else line)
    return lines


def test_all_that_is_stored_of_a_run(tmp_path):
    workspace = make_history(tmp_path)
    workspace.logs.mkdir()
    (workspace.logs / f"{TRAINING}-3.log").write_text("".join(f"line {number}\n" for number in range(20)))
    assert shown(TRAINING, workspace) == [
        f"done        {TRAINING}  training digits(train=9) mlp eigenfunction(index=3) epochs=4 seed=0",
        f"setting     {'e1' * 8}  1 run, 1 seed",
        "study       small [laptop]",
        f"needs       {SPECTRUM}  done, as its spectrum: spectrum digits(train=9) mlp seed=0",
        f"needed by   {PROBE}  planned, as its training: probe digits(train=9) mlp eigenfunction(index=3) epochs=4 "
        "alignment seed=0",
        "spec",
        '    data.kind                     "digits"',
        "    data.train                    9",
        '    model.kind                    "mlp"',
        '    task.kind                     "eigenfunction"',
        "    task.index                    3",
        "    train.epochs                  4",
        "    seed                          0",
        "    content of data               digits-1",
        "    content of model.nets.layers  0123456789abcdef",
        "attempts",
        "    2: failed, on here, cpu: any",
        "        versions: jax 0.10",
        "        commit: c0, with changes",
        "        error: odd",
        "            very",
        "        log: it printed nothing, or its log is gone",
        "    3: done, on here, cpu: any",
        "        methods: training: parameters",
        "        versions: jax 0.10",
        "        commit: c0, with changes",
        "        warning: a warning",
        f"        log: .linstudy/logs/{TRAINING}-3.log",
        "numbers, the last of each",
        "    test_loss   not finite at epoch 4",
        "    train_loss  0.5 nats at epoch 4",
        "files",
        "    checkpoint at epoch 4, 2 kB, not here: artifacts/0",
        f"the end of what it printed (all of it: linstudy log {TRAINING})",
        *(f"    line {number}" for number in range(10, 20)),
    ]


def test_a_run_that_was_never_tried_and_a_list_of_numbers(tmp_path):
    workspace = make_history(tmp_path)
    planned = shown(PROBE, workspace)
    assert planned[0].startswith(f"planned     {PROBE}  probe ")
    assert not {"attempts", "files"} & set(planned)
    assert shown(SPECTRUM, workspace)[-2:] == ["numbers, the last of each", "    eigenvalues  2 entries"]


def test_a_run_of_no_study_and_of_many_others(tmp_path, monkeypatch):
    monkeypatch.setattr("linstudy.describe.details.MOST_OTHERS", 1)
    lines = shown(SPECTRUM, make_history(tmp_path))
    assert [line for line in lines if line.startswith(("needed by", "   "))][:2] == [
        f"needed by   {TRAINING}  done, as its spectrum: training digits(train=9) mlp eigenfunction(index=3) epochs=4 "
        "seed=0",
        "            and 1 more",
    ]


def test_several_runs_are_told_apart(tmp_path):
    lines = [*describe_runs([SPECTRUM, TRAINING], make_history(tmp_path))]
    assert lines[lines.index("") + 1].startswith(f"done        {TRAINING}")
