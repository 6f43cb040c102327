# What the scripts of the tests have in common; to be sourced. They set `root`, `binary` and `out` before.

# The binary is there; it is not built here.
needs_binary() {
  if [[ ! -x $binary ]]; then
    echo "run.sh: $binary is no program; build it with: cargo build" >&2
    exit 2
  fi
}

# Makes a Python environment in `venv` with what a file of requirements lists.
python_environment() {
  local requirements=$1
  venv=$out/venv
  # The copy of the requirements says which ones the environment holds.
  if ! cmp --silent "$requirements" "$venv/requirements.txt"; then
    rm -rf "$venv"
    mkdir -p "$out"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$venv/requirements.txt"
  fi
}

# Serves a journal in $1 with a log in $2, on any port; `url` is where, `server` the process, which ends with the script.
serve_journal() {
  # More accounts than are made: a 507 would be right, and be taken for a fault.
  "$binary" serve --host 127.0.0.1 --port 0 --max-accounts 100000 --data "$1" 2>"$2" &
  server=$!
  trap 'kill $server 2>/dev/null || true' EXIT
  for _ in $(seq 100); do
    url=$(grep -om1 'http://127.0.0.1:[0-9]*' "$2") && break
    sleep 0.1
  done
}
