#!/bin/bash
# Facteur as a peer of the load tests, with the same verbs as the scripts of the other peers:
#   install, start, stop, wipe; pending (messages not yet settled), delivered (messages in the mailboxes of u1..u100).
# Users u1..u100 of example.test, password "secret"; relay.test goes to 127.0.0.1:19026; default durability.
# It runs in the cgroup $CG/facteur, so that CPU time and memory of all its processes are counted.
set -eu
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PROGRAM=${PROGRAM:-$HERE/build/release/facteur}
HOME_DIR=${FACTEUR_HOME:-/var/tmp/facteur-bench}
CG=${CG:-$([ -d /sys/fs/cgroup/unified ] && echo /sys/fs/cgroup/unified || echo /sys/fs/cgroup)/mailpeers}
CONFIG=$HOME_DIR/facteur.toml

configure() {
  mkdir -p "$HOME_DIR"
  cat >"$CONFIG" <<X
hostname = "mx.example.test"
domains = ["example.test"]
postmaster = "u1@example.test"

[server]
data = "$HOME_DIR/data"
processes = "${FACTEUR_PROCESSES:-one}"
log_level = "warning"

[limits]
connections_per_address = 100000
connections = 100000

[delivery]
allow_loopback = true
relay_domains = ["relay.test"]
[[delivery.route]]
domains = ["relay.test"]
host = "127.0.0.1"
port = 19026
${FACTEUR_EXTRA:-}
X
  # Plaintext log-ins are allowed here because the addresses are loopback ones.
  listener() {
    printf '\n[[listener]]\naddress = "127.0.0.1"\nport = %s\nprotocol = "%s"\ntls = "%s"\n%s\n' "$@" >>"$CONFIG"
  }
  listener 17525 exchanger starttls ""
  listener 17024 lmtp none ""
  listener 17143 imap starttls "plaintext_login = true"
  listener 17993 imap implicit ""
  listener 17110 pop3 starttls "plaintext_login = true"
  listener 17995 pop3 implicit ""
}

facteur() { "$PROGRAM" "$@" -c "$CONFIG"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

case "${1:-}" in
  install) "$HERE/dev" build release facteur ;;
  start)
    configure
    mkdir -p "$CG/facteur"
    (
      echo "$BASHPID" >"$CG/facteur/cgroup.procs"
      exec "$PROGRAM" serve -c "$CONFIG"
    ) </dev/null >>"$HOME_DIR/log" 2>&1 &
    for _ in $(seq 200); do listens 17525 && break; sleep 0.05; done
    if ! facteur account list --json | grep -q '"u100@example.test"'; then
      for i in $(seq 100); do echo secret | facteur account add "u$i@example.test" >/dev/null; done
    fi ;;
  stop)
    [ -d "$CG/facteur" ] || exit 0
    for signal in TERM TERM KILL; do
      for turn in $(seq 60); do
        pids=$(cat "$CG/facteur/cgroup.procs")
        [ -n "$pids" ] || exit 0
        [ "$turn" -gt 1 ] || kill -$signal $pids 2>/dev/null || true
        sleep 0.1
      done
    done ;;
  wipe)
    "$0" stop
    rm -rf "$HOME_DIR" ;;
  pending) facteur status --json | field queued ;;
  delivered) facteur status --json | field messages ;;
  *)
    echo "usage: $0 install|start|stop|wipe|pending|delivered" >&2
    exit 2 ;;
esac
