import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # A workspace of linstudy

    A beginning to change: choose a training, look at its curves, and compare the network with its linearization.
    `linstudy.open` reads `results.duckdb` as it is now; run its cell again to see what a study has published since.
    """)
    return


@app.cell
def _():
    import jax
    import jax.numpy as jnp
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np

    import linstudy
    from linstudy.tangent import alignment, energy_concentration, ntk_gram

    return alignment, energy_concentration, jax, jnp, linstudy, mo, np, ntk_gram, plt


@app.cell
def _(linstudy, mo):
    # marimo edit studies/explore.py -- --workspace FOLDER --study-folder FOLDER --data FOLDER
    given = mo.cli_args()
    ws = linstudy.open(
        given.get("workspace") or ".", data=given.get("data"), study_folder=given.get("study-folder") or "."
    )
    ws
    return (ws,)


@app.cell
def _(mo, ws):
    states = ws.sql("SELECT study, kind, status, count(*) AS runs FROM study_runs GROUP BY ALL ORDER BY ALL")
    mo.ui.table(states.to_dicts())
    return


@app.cell
def _(mo, ws):
    accuracies = ws.sql("""
        SELECT label, count(*) AS seeds, avg(train_accuracy) AS train, avg(test_accuracy) AS test
        FROM settings JOIN runs USING (setting_id) JOIN final USING (run_id)
        WHERE runs.kind = 'training' AND runs.status = 'done' GROUP BY ALL ORDER BY label
    """)
    mo.ui.table(accuracies.to_dicts())
    return


@app.cell
def _(mo, ws):
    # for float64, write jax.config.update("jax_enable_x64", True) below the imports, and leave out the last line
    networks = ws.runs("""
        kind = 'training' AND train_linearize IS NULL AND status = 'done'
        AND train_precision <> 'float64'
    """)
    mo.stop(not networks, mo.md("No network has been trained here yet."))
    chosen = mo.ui.dropdown({repr(run): run for run in networks}, value=repr(networks[0]), label="Network")
    chosen
    return (chosen,)


@app.cell
def _(chosen, plt):
    run = chosen.value
    _figure, _axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for _axis, _name in zip(_axes, ("loss", "accuracy"), strict=True):
        for _split in ("train", "test"):
            _curve = run.metrics.filter(f"name = '{_name}' AND split = '{_split}'").order("epoch").fetchnumpy()
            _axis.plot(_curve["epoch"], _curve["value"], label=_split)
        _axis.set(xlabel="epoch", ylabel=_name)
        _axis.legend()
    _figure
    return (run,)


@app.cell
def _(jax, jnp, mo, np, run):
    # the network of the last epoch on the data that it saw, beside what was stored
    data, network = run.data(), run.network()
    logits = np.asarray(jax.vmap(network)(jnp.asarray(data.test_inputs)))
    accuracy = float(np.mean((logits >= 0) == (data.test_labels > 0)))
    _stored = run.metrics.filter("name = 'accuracy' AND split = 'test'").order("epoch DESC").limit(1).fetchall()
    mo.md(f"Test accuracy {accuracy:.4f}; stored: {_stored[0][-1]:.4f}.")
    return accuracy, data, network


@app.cell
def _(alignment, data, mo, network, ntk_gram, run):
    # does training turn the kernel towards the labels? On the first 200 training samples
    inputs, labels = data.train_inputs[:200], data.train_labels[:200]
    before, after = (float(alignment(ntk_gram(model, inputs), labels)) for model in (run.linearization(), network))
    mo.md(f"α(y) of the labels: {before:.4g} at initialization, {after:.4g} after training.")
    return after, before


@app.cell
def _(data, energy_concentration, mo, np, plt, run):
    # how much of the labels lies on the first eigenvectors of the kernel at initialization
    mo.stop("spectrum" not in run.needs, mo.md("This training needs no spectrum: its labels are no eigenfunction."))
    found = run.spectrum()
    counts = np.arange(1, len(found.eigenvalues) + 1)
    energies = [float(energy_concentration(found.eigenvectors[:count], data.labels)) for count in counts]
    _figure, _axis = plt.subplots(figsize=(5, 3), layout="constrained")
    _axis.plot(counts, energies)
    _axis.set(xlabel="K", ylabel="‖Φ_K y‖ / ‖y‖", xscale="log")
    _figure
    return


if __name__ == "__main__":
    app.run()
