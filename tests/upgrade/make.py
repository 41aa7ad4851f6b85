#!/usr/bin/env python3
"""Makes a golden store with the program FACTEUR names: make.py NAME -> stores/NAME.tar.xz and NAME.json (README.md)."""
import base64
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import served
import load
from server import ROOT, Server

HERE = pathlib.Path(__file__).resolve().parent


def fill(server):
    incoming = load.Smtp(server.ports["exchanger"])
    for number in range(1, 13):
        incoming.command("MAIL FROM:<someone@outside.test>")
        incoming.command(f"RCPT TO:<smtp@{load.DOMAIN}>")
        incoming.command(f"RCPT TO:<imap1+detail@{load.DOMAIN}>")
        incoming.command("DATA")
        incoming.send(load.message(number, 300 * number) + ".\r\n")
        assert incoming.reply() == 250, incoming.text
    incoming.close()
    client = load.Imap(server.ports["imap"], "imap1")
    for command in ("CREATE Archive/2026", "CREATE &AOk-t&AOk-", "SUBSCRIBE Archive", "SELECT INBOX",
                    "STORE 1:3 +FLAGS (\\Seen $Important)", "STORE 4 +FLAGS (\\Flagged \\Answered mine)",
                    "MOVE 5:6 Archive", "COPY 1 Archive/2026", "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE", "CREATE Gone",
                    "COPY 1 Gone", "DELETE Gone", "RENAME Archive/2026 Archive/Twenty"):
        assert client.ask(command)[1], (command, client.answer)
    # Octets of all kinds, and larger than what is kept in memory.
    for text in (bytes(range(256)) * 8, b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 8192, b""):
        assert client.ask("APPEND Archive (\\Draft)", b"Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\n" + text)[1]
    client.close()
    outgoing = load.Smtp(server.ports["submission"])
    outgoing.command("AUTH PLAIN " + base64.b64encode(f"\0smtp@{load.DOMAIN}\0{load.PASSWORD}".encode()).decode())
    for number in (101, 102, 103):
        outgoing.command(f"MAIL FROM:<smtp@{load.DOMAIN}>")
        outgoing.command(f"RCPT TO:<n{number}@dead.test>")
        outgoing.command(f"RCPT TO:<m{number}@dead.test>")
        outgoing.command("DATA")
        outgoing.send(load.message(number, 500).replace("load@outside.test", f"smtp@{load.DOMAIN}") + ".\r\n")
        assert outgoing.reply() == 250, outgoing.text
    outgoing.close()
    for entry in json.loads(server.facteur("queue", "list", "--json")):
        server.facteur("queue", "hold", entry["id"])


def main():
    name = sys.argv[1]
    server = Server(tempfile.mkdtemp(prefix="facteur-golden-"))
    server.start()
    server.add_accounts()
    server.facteur("alias", "add", f"team@{load.DOMAIN}", f"imap1@{load.DOMAIN}", "far@dead.test")
    fill(server)
    time.sleep(1)
    kept = served.all_of(server)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    kept = {"origin": f"commit {commit.stdout.strip()}, {datetime.date.today()}, tests/upgrade/make.py", **kept}
    assert server.stop() == 0
    (HERE / "stores").mkdir(exist_ok=True)
    (HERE / "stores" / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    subprocess.run(["tar", "--sparse", "--owner=0", "--group=0", "--exclude=./ballast/*", "--exclude=./control.sock",
                    "-cJf", HERE / "stores" / f"{name}.tar.xz", "-C", server.data, "."], check=True)
    server.close()


if __name__ == "__main__":
    main()
