# A private PostgreSQL for tests; sourced after common.sh, never run.
# shellcheck shell=bash
#
# The server lives in one temp folder, listens on one free loopback port and nothing else, and runs as an
# unprivileged user because PostgreSQL refuses to run as root. Durability is left at its defaults: tests that
# kill nodes must meet the same database that operators have.

# Prints the folder that holds initdb and pg_ctl of the newest installed PostgreSQL; nothing when there is none.
postgres_bin() {
  local candidate
  if [ -n "${HORARIUM_PG_BIN:-}" ]; then
    [ -x "$HORARIUM_PG_BIN/initdb" ] || fail "HORARIUM_PG_BIN=$HORARIUM_PG_BIN holds no initdb"
    printf '%s\n' "$HORARIUM_PG_BIN"
    return
  fi
  # Debian and PGDG keep server programs off PATH, one folder per major version.
  candidate="$(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -V | while read -r dir; do
    [ -x "$dir/initdb" ] && printf '%s\n' "$dir"
  done | tail -n 1)"
  if [ -z "$candidate" ] && have initdb; then
    candidate="$(dirname "$(readlink -f "$(command -v initdb)")")"
  fi
  printf '%s' "$candidate"
}

# Installs Debian's server without letting the package create and start a cluster of its own.
postgres_install() {
  local switch=/etc/postgresql-common/createcluster.d/horarium-tests.conf
  say "no PostgreSQL server is installed"
  as_root mkdir -p "$(dirname "$switch")" ||
    fail "PostgreSQL can't be installed without root rights: install it, or name a server in HORARIUM_TEST_POSTGRES_URL"
  echo "create_main_cluster = false" | as_root tee "$switch" >/dev/null
  install_packages "tests need a PostgreSQL server" postgresql
  as_root rm -f "$switch"
}

# Runs a command as the user that owns the server.
postgres_as_owner() {
  local user="$1"
  shift
  if [ "$user" = "$(id -un)" ]; then "$@"; else runuser -u "$user" -- "$@"; fi
}

# Loopback ports outside the kernel's ephemeral range, so that no outgoing connection takes one in between.
postgres_free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s\n' "$port"
}

# postgres_start FOLDER: starts a server in an empty folder that this user owns and writes FOLDER/env.
postgres_start() {
  local folder="$1" bin user port password attempt
  bin="$(postgres_bin)"
  if [ -z "$bin" ]; then
    postgres_install
    bin="$(postgres_bin)"
    [ -n "$bin" ] || fail "PostgreSQL was installed, but no initdb was found; set HORARIUM_PG_BIN to its bin folder"
  fi

  user="$(id -un)"
  if [ "$(id -u)" = 0 ]; then
    have runuser || fail "PostgreSQL refuses to run as root and runuser (util-linux) is missing; run as another user"
    user=nobody
    id postgres >/dev/null 2>&1 && user=postgres
  fi

  # The owner may enter the folder but sees only its own data in it.
  chmod 711 "$folder"
  mkdir "$folder/data" "$folder/sockets"
  [ "$user" = "$(id -un)" ] || chown "$user" "$folder/data" "$folder/sockets"
  postgres_as_owner "$user" test -w "$folder/data" ||
    fail "user $user cannot reach $folder; set TMPDIR to a folder that every user may enter, such as /tmp"

  # A password, since any local user can reach a loopback port and a superuser can run programs.
  # It is sent in the clear: SCRAM would cost debug builds of the client about 50 ms for each connection.
  password="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  (umask 077 && printf '%s\n' "$password" >"$folder/password")
  [ "$user" = "$(id -un)" ] || chown "$user" "$folder/password"

  say "starting a private PostgreSQL ($("$bin/postgres" --version | awk '{print $3}'), as $user) in $folder"
  (cd "$folder" && postgres_as_owner "$user" "$bin/initdb" --pgdata="$folder/data" --username=postgres \
    --auth=password --pwfile="$folder/password" --encoding=UTF8 --locale=C) >"$folder/initdb.log" 2>&1 ||
    fail "initdb failed: $(tail -n 5 "$folder/initdb.log")"

  # Another program may take the port between the probe and the start, so try again with another one.
  for attempt in 1 2 3 4 5; do
    port="$(postgres_free_port)"
    postgres_as_owner "$user" tee "$folder/data/postgresql.auto.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder/sockets'
max_connections = 300
shared_buffers = 256MB
CONF
    if (cd "$folder" && postgres_as_owner "$user" "$bin/pg_ctl" --pgdata="$folder/data" \
      --log="$folder/data/server.log" --timeout=60 --wait start) >"$folder/pg_ctl.log" 2>&1; then
      break
    fi
    if [ "$attempt" = 5 ] || ! grep -q 'Address already in use' "$folder/data/server.log"; then
      fail "PostgreSQL did not start: $(tail -n 5 "$folder/data/server.log" "$folder/pg_ctl.log" 2>/dev/null)"
    fi
    rm -f "$folder/data/server.log"
  done

  (
    umask 077
    cat >"$folder/env" <<ENV
export HORARIUM_TEST_POSTGRES_URL='postgres://postgres:$password@127.0.0.1:$port/postgres'
export HORARIUM_PG_BIN='$bin'
ENV
  )
  printf '%s\n' "$user" >"$folder/owner"
}

# postgres_stop FOLDER: stops the server and removes the folder. The data is thrown away, so it stops at once.
postgres_stop() {
  local folder="$1" user
  if [ -f "$folder/data/postmaster.pid" ]; then
    user="$(cat "$folder/owner" 2>/dev/null || stat -c %U "$folder/data")"
    (cd "$folder" && postgres_as_owner "$user" "$(postgres_bin)/pg_ctl" --pgdata="$folder/data" --mode=immediate \
      --wait stop) >/dev/null 2>&1 || say "PostgreSQL in $folder did not stop; see $folder/data/server.log"
  fi
  rm -rf "$folder" 2>/dev/null || as_root rm -rf "$folder"
}

# Makes HORARIUM_TEST_POSTGRES_URL available to this process: the one that is given, or a private server that
# goes away when the calling script exits.
postgres_for_this_script() {
  if [ -n "${HORARIUM_TEST_POSTGRES_URL:-}" ]; then
    say "using the PostgreSQL of HORARIUM_TEST_POSTGRES_URL"
    return
  fi
  POSTGRES_FOLDER="$(mktemp -d "${TMPDIR:-/tmp}/horarium-pg.XXXXXX")"
  trap 'postgres_stop "$POSTGRES_FOLDER"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  postgres_start "$POSTGRES_FOLDER"
  # shellcheck disable=SC1091
  . "$POSTGRES_FOLDER/env"
}
