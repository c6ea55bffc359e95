# The job queues that Horarium is compared with; sourced after common.sh, never run.
# shellcheck shell=bash

# peers_install FOLDER: everything that crates/bench/peers pins, through the ordinary clients. What is there already, at
# the same version, is left as it is.
peers_install() {
  local folder="$1" source="$REPO/crates/bench/peers"
  have redis-server || install_packages "BullMQ keeps its jobs in Redis" redis-server
  peers_install_node "$folder/node" "$source/node"
  peers_install_python "$folder/python" "$source/python"
  say "compiling the job queues for Rust (quick when nothing changed)"
  cargo build --locked --release --manifest-path "$source/rust/Cargo.toml" --target-dir "$folder/rust"
}

# Node itself is one of the packages, since the job queues need a newer one than Debian has.
peers_install_node() {
  local folder="$1" source="$2"
  have npm || install_packages "npm fetches the job queues for Node" npm
  mkdir -p "$folder"
  cp "$source"/* "$folder/"
  say "installing the job queues for Node"
  (cd "$folder" && npm install --no-audit --no-fund --no-package-lock --loglevel error >&2)
  ln -sfn "$(dirname "$(find "$folder/node_modules" -path '*/node-linux-*/bin/node' | head -n 1)")" "$folder/bin"
}

peers_install_python() {
  local folder="$1" source="$2"
  mkdir -p "$folder"
  cp "$source"/* "$folder/"
  say "installing the job queues for Python"
  if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -c 'import ensurepip' 2>/dev/null || install_packages "the job queues for Python have an environment of their own" python3-venv
    python3 -m venv "$folder/venv"
  fi
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$source/requirements.txt"
}
