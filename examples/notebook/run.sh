#!/usr/bin/env bash
# Runs all cells of latency.ipynb, and leaves it with its output in target/notebook. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=../../target/venv/bin/python3
if ! "$python" -c 'import nbclient, ipykernel' 2> /dev/null; then
  echo "skipped: takes the Python packages nbclient and ipykernel (./x test python installs them)"
  exit 0
fi
export PERIGEE="${PERIGEE:-$(realpath ../../target/release/perigee)}" PYTHONPATH="../../python"
mkdir -p ../../target/notebook
exec "$python" - << 'END'
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("latency.ipynb", as_version=4)
NotebookClient(notebook, timeout=60, resources={"metadata": {"path": "."}}).execute()
nbformat.write(notebook, "../../target/notebook/latency.ipynb")
outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
texts = [output.text for output in outputs if output.output_type == "stream"]
pictures = [output for output in outputs if "image/svg+xml" in output.get("data", {})]
print("".join(texts), end="")
assert len(pictures) == 1 and "<svg" in pictures[0].data["image/svg+xml"], "the picture is there"
print("drawn: target/notebook/latency.ipynb")
END
