# The job queues that Horarium is compared with; sourced after common.sh, never run.
# shellcheck shell=bash

# peers_install FOLDER: everything that crates/bench/peers pins, through the ordinary clients. What is there already, at
# the same version, is left as it is. What cannot be installed is said and removed, so that no older version of it is
# measured; the others go on.
peers_install() {
  local folder="$1" source="$REPO/crates/bench/peers"
  have redis-server || (install_packages "BullMQ keeps its jobs in Redis" redis-server) || say "BullMQ is left out"
  (peers_install_node "$folder/node" "$source/node") || peers_leave_out "the job queues for Node" "$folder/node/bin"
  (peers_install_python "$folder/python" "$source/python") ||
    peers_leave_out "the job queues for Python" "$folder/python/venv"
  say "compiling the job queues for Rust: about ten minutes on two cores, and quick when nothing changed"
  rm -f "$folder"/rust/release/peer-*
  cargo build --locked --release --keep-going --manifest-path "$source/rust/Cargo.toml" --target-dir "$folder/rust" ||
    say "what is not compiled will be left out"
}

peers_leave_out() {
  say "$1 cannot be installed and will be left out"
  rm -rf "$2"
}

# The installers run in conditions, where 'set -e' does not hold: each step says that it needs the one before.

# Node itself is one of the packages, since the job queues need a newer one than Debian has.
peers_install_node() {
  local folder="$1" source="$2" node
  have npm || install_packages "npm fetches the job queues for Node" npm || return 1
  say "installing the job queues for Node"
  mkdir -p "$folder" && cp "$source"/* "$folder/" &&
    (cd "$folder" && npm install --no-audit --no-fund --no-package-lock --loglevel error >&2) || return 1
  node="$(find "$folder/node_modules" -path '*/node-linux-*/bin/node' | head -n 1)"
  [ -n "$node" ] && ln -sfn "$(dirname "$node")" "$folder/bin"
}

peers_install_python() {
  local folder="$1" source="$2"
  require_python || return 1
  say "installing the job queues for Python"
  mkdir -p "$folder" && cp "$source"/* "$folder/" || return 1
  if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -c 'import ensurepip' 2>/dev/null ||
      install_packages "the job queues for Python have an environment of their own" python3-venv || return 1
    python3 -m venv "$folder/venv" || return 1
  fi
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$source/requirements.txt" >&2
}
