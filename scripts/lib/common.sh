# Shared by the scripts in this repository; sourced, never run.
# shellcheck shell=bash

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

# Progress goes to stderr so that a script's stdout stays usable by other programs.
say() { printf '==> %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints the comment block at the top of the calling script: the one place its usage is written.
show_help() {
  awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$0"
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    printf 'error: this needs root, and there is no sudo: %s\n' "$*" >&2
    return 1
  fi
}

# install_packages WHY PACKAGE...: from Debian's archive, after one refresh of its index per process.
install_packages() {
  local why="$1" said
  shift
  have apt-get || fail "$why; this system has no apt-get, so install the equivalent of: $*"
  say "installing $* ($why)"
  if [ -z "${APT_INDEX_IS_FRESH:-}" ]; then
    said="$(as_root apt-get update -qq 2>&1)" || fail "apt-get update failed: $said"
    APT_INDEX_IS_FRESH=1
  fi
  said="$(as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" 2>&1)" ||
    fail "apt-get could not install $*: $said"
}

# Rust and a C compiler (SQLite and the TLS library are compiled from source).
require_build_tools() {
  if ! have cargo && [ -x "$HOME/.cargo/bin/cargo" ]; then
    PATH="$HOME/.cargo/bin:$PATH"
  fi
  have cargo || fail "cargo is not on PATH; install Rust from https://rustup.rs (rust-toolchain.toml pins the version)"
  have cc || install_packages "a C compiler builds the bundled SQLite" build-essential
}

require_python() {
  have python3 || install_packages "Python runs the end-to-end checks" python3
}

# Where cargo puts what it builds, whatever the environment or a cargo configuration says.
target_dir() {
  (cd "$REPO" && cargo metadata --format-version 1 --no-deps --offline) |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# build_horarium dev|release: compiles the server, then prints the binary's path.
build_horarium() {
  local profile="$1" folder="$1"
  [ "$profile" = dev ] && folder=debug
  (cd "$REPO" && cargo build --locked --profile "$profile" --package horarium-server --bin horarium >&2) || return 1
  printf '%s/%s/horarium\n' "$(target_dir)" "$folder"
}
