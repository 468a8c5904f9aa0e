"""What the trust store costs."""

from __future__ import annotations

import os

from authority import make_store
from senders import Target, find_senders
from table import Table, median, ratio

__all__ = ["measure"]


def measure(lab, *, runs=0, is_quick=False):
    """Send one small mail with every program and every trust store; return the table."""
    runs = runs or (1 if is_quick else 11)
    sink = lab.sink()
    stores = _stores(lab)
    senders = find_senders()
    costs = {
        (store, sender): []
        for store, (_, kind, _) in stores.items()
        for sender in senders
        if kind in sender.knows
    }
    floor = []
    for _ in range(runs):
        floor += lab.meter([lab.python, "-I", "-S", "-c", "import ssl"])
        for store, sender in costs:
            path, _, environment = stores[store]
            command = sender.command(lab, Target(sink.port, str(path), lab.message()))
            stdin = lab.message() if sender.reads_stdin else os.devnull
            found = lab.meter(command, stdin=stdin, **environment)
            if found[0].exit_code:
                raise SystemExit(f"{sender.name} failed with {store}")
            costs[store, sender] += found
    return _tabulate(stores, costs, floor)


def _stores(lab):
    """Return name -> path (or ``system``), kind, environment of each store that can be had."""
    found = {"the authority alone": (lab.authority, "file", {})}
    bundle = make_store(lab.folder)
    if bundle is None:
        return found
    alone = lab.folder / "bundle.pem"
    alone.write_bytes(bundle.read_bytes())
    system = {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(bundle.parent)}
    found["bundle, nothing beside it"] = (alone, "file", {})
    found["bundle in its hashed directory"] = (bundle, "file", {})
    found["hashed directory"] = (bundle.parent, "directory", {})
    found["system"] = ("system", "system", system)
    return found


def _tabulate(stores, costs, floor):
    alone = next(iter(stores))
    ssl_cpu = median(run.cpu_ms for run in floor)
    table = Table(
        f"The trust store, one mail, cold process, median of {len(floor)} runs",
        {
            "trust store": "",
            "program": "",
            "CPU ms": ".1f",
            "CPU ÷ import ssl": ".2f",
            "CPU ÷ the authority alone": ".2f",
            "peak MB": ".1f",
        },
    )
    for (store, sender), found in costs.items():
        cpu = median(run.cpu_ms for run in found)
        base = costs.get((alone, sender))
        least = median(run.cpu_ms for run in base) if base else None
        table.add(
            store,
            sender.name,
            cpu,
            ratio(cpu, ssl_cpu),
            ratio(cpu, least),
            median(run.peak_mb for run in found),
        )
    if len(stores) == 1:
        table.notes.append("The system's store was not found, or there is no openssl to hash with.")
    else:
        table.notes.append(
            "The bundle is the system's, and our authority; the directory beside it holds the "
            "same certificates under their hashes, as Debian has it."
        )
    return table
