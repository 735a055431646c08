"""One notebook becomes a page: executed whole and without a fault, with its tables and figures, or not at all."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from paperlib import files
from paperlib.files import ROOT, whole

NOTEBOOKS = ROOT / "notebooks"
OUTPUTS = "PAPERLIB_OUTPUTS"  # names the folder that pages write to, in place of figures/
QUIET = "--IPKernelApp.log_level=50"  # that it is shut down is no error, though a kernel logs it as one
THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read when a library is loaded
# a user's own, which would change or break a page
UNHEARD = ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONWARNINGS")


def figures() -> Path:
    """The folder of all pages' tables, figures and ledgers."""
    return Path(os.environ.get(OUTPUTS, ROOT / "figures")).resolve()


def ledgers(track: str, samples: str = "") -> Path:
    """Where pages made of these samples keep tables and ledgers; a page that is being made asks for its own."""
    making = Path(os.environ.get(OUTPUTS, ""))
    top = making.parent.parent if making.parent.name == ".making" else ROOT / "figures"
    return top / (Path(samples).name or track)


def execute(notebook: Path, page: Path, *, track: str, samples: str = "", variant: str = "") -> None:
    """Execute a notebook with papermill into `page`, from the samples in a folder ("": the stored ones).

    The kernel has none of the user's start-up files and styles, and writes tables and figures into a folder of its
    own. When the page is whole they are moved to figures/, below `variant` in place of the track's name, and what the
    page no longer makes is removed there. It computes with one thread, so no sum depends on how many pages are made.

    Raises:
        RuntimeError: a cell failed, was not executed, or wrote to stderr; the half-executed notebook is kept and named.
    """
    import papermill

    parameters = {"track": track, "samples": samples}
    if unknown := parameters.keys() - papermill.inspect_notebook(str(notebook)).keys():
        raise RuntimeError(f"{notebook.name} has no parameter {', '.join(sorted(unknown))}")
    variant = variant or track
    temporary = files.CACHE / "executing" / f"{variant}-{notebook.name}"
    making = figures() / ".making" / temporary.stem
    for folder in (page.parent, temporary.parent):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(making, ignore_errors=True)  # an execution that was killed may have left something
    for left in page.parent.glob(f".{page.stem}.*"):
        left.unlink()
    try:
        executed = _executed(notebook, temporary, parameters, making)
        with whole(page) as partial:
            partial.write_text(nbformat.writes(_without_times(executed)) + "\n", encoding="utf-8")
            _keep(making / track, figures() / variant)
        temporary.unlink()
    except papermill.PapermillExecutionError as error:
        why = f"cell {error.exec_count} failed: {error.ename}: {error.evalue}"
        raise RuntimeError(f"{why}; see {temporary}") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _executed(notebook: Path, temporary: Path, parameters: Mapping[str, str], making: Path) -> Any:
    import papermill
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.WARNING)
    os.environ |= dict.fromkeys(THREADS, "1")
    # Sockets in a folder of their own: kernels that start at once would take each other's ports or names. A socket's
    # whole name may have 103 characters, for which TMPDIR can be too long.
    long = len(os.fsencode(tempfile.gettempdir())) > 75
    short = "/tmp" if long and os.access("/tmp", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="kernel-", dir=short) as own:
        papermill.execute_notebook(
            str(notebook),
            str(temporary),
            parameters,
            cwd=str(NOTEBOOKS),
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=3600,
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{own}/kernel"}}),
            kernel_manager_class=_kernels_with({OUTPUTS: str(making), "IPYTHONDIR": f"{own}/ipython"}),
        )
    executed = nbformat.read(temporary, as_version=4)
    if faults := [*_faults(executed)]:
        raise RuntimeError(f"{'; '.join(faults)}; see {temporary}")
    return executed


def _kernels_with(environment: Mapping[str, str]) -> type:
    """A manager of kernels of this Python, whichever has the name python3 in the user's folders.

    They have these variables beside this process's own, which its threads share, and draw into the page as matplotlib
    itself styles figures.
    """
    import matplotlib
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    style = os.path.join(matplotlib.get_data_path(), "matplotlibrc")
    drawing = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MATPLOTLIBRC": style}
    fixed = {**dict.fromkeys(UNHEARD, ""), **drawing, **environment}
    spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", QUIET],
        env={name: value.replace("$", "$$") for name, value in fixed.items()},
        display_name="Python 3",
        language="python",
    )

    class Kernels(AsyncKernelManager):
        kernel_spec = spec

    return Kernels


def _keep(making: Path, top: Path) -> None:
    """Move the folders that a page made to where they are kept, the ledger last; they then hold nothing else."""
    made = [path.relative_to(making) for path in making.rglob("*") if path.is_file()]
    for name in sorted(made, key=lambda name: name.name == "ledger.csv"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(making / name, top / name)
    for folder in {top / name.parent for name in made}:
        for path in set(folder.iterdir()) - {top / name for name in made}:
            if path.is_file():
                path.unlink()


def _faults(notebook: Any) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            # A killed kernel leaves cells marked as completed; only the missing count tells.
            if cell.execution_count is None:
                yield f"cell {number} was not executed"
            for output in cell.outputs:
                if output.output_type == "error" or output.get("name") == "stderr":
                    yield f"cell {number} wrote: {output.get('text', output.get('evalue', ''))[:200]}"


def _without_times(notebook: Any) -> Any:
    """Drop times and addresses, and what time alone decides: git shows only where two executions really differ."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.id = f"cell-{number}"
        if "outputs" in cell:
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", []):
            if "text/plain" in output.get("data", {}):
                output.data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", output.data["text/plain"])
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Outputs with the pieces of a stream made one again: a kernel cuts it where it happens to be when it is read."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            joined.append(output)
    return joined
