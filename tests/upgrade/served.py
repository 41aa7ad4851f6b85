"""What a server serves, in a form that can be kept and compared."""
import hashlib
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "powercut"))
import load  # noqa: E402


def folder_of(client, name):
    selected, good = client.ask(f'EXAMINE "{name}"')
    assert good, client.answer
    out = {"uidvalidity": int(re.search(rb"UIDVALIDITY (\d+)", selected)[1]),
           "uidnext": int(re.search(rb"UIDNEXT (\d+)", selected)[1]),
           "highestmodseq": int(re.search(rb"HIGHESTMODSEQ (\d+)", selected)[1]), "messages": []}
    fetched, good = client.ask("UID FETCH 1:* (UID FLAGS MODSEQ INTERNALDATE BODY.PEEK[])")
    assert good, client.answer
    for part in re.split(rb"\* \d+ FETCH \(", fetched)[1:]:
        # The order of items is the server's choice; the literal is found by its length.
        size = re.search(rb"\{(\d+)\}\r\n", part)
        body = part[size.end():size.end() + int(size[1])]
        items = part[:size.start()] + part[size.end() + int(size[1]):]
        flags = sorted(re.search(rb"FLAGS \(([^)]*)\)", items)[1].decode().replace("\\Recent", "").split())
        out["messages"].append({"uid": int(re.search(rb"UID (\d+)", items)[1]), "flags": flags,
                                "modseq": int(re.search(rb"MODSEQ \((\d+)\)", items)[1]),
                                "date": re.search(rb'INTERNALDATE "([^"]*)"', items)[1].decode(),
                                "size": len(body), "sha256": hashlib.sha256(body).hexdigest()})
    return out


def mailboxes_of(server, user):
    client = load.Imap(server.ports["imap"], user)
    assert b" OK" in client.answer, client.answer
    listed, good = client.ask('LIST "" "*"')
    assert good, client.answer
    names = sorted(name.decode().strip('"') for name in re.findall(rb'^\* LIST \([^)]*\) "?[^ "]*"? (.*)\r$', listed, re.M))
    out = {name: folder_of(client, name) for name in names}
    client.close()
    return out


def queue_of(server):
    out = []
    for entry in json.loads(server.facteur("queue", "list", "--json")):
        out.append({"id": entry["id"], "sender": entry["sender"],
                    "recipients": sorted(recipient["address"] for recipient in entry["recipients"])})
    return sorted(out, key=lambda entry: entry["id"])


def all_of(server):
    return {"mailboxes": {user: mailboxes_of(server, user) for user in load.MAILBOXES},
            "queue": queue_of(server),
            "aliases": json.loads(server.facteur("alias", "list", "--json"))}
