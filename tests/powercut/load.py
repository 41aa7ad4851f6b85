"""Mixed load on a server, and a ledger of what it promised: the base of powercut.py, kills.py and faults.py.

Every message has a number (X-Number) and an end mark, so that it is known afterwards which ones are there, where, and
whether they are whole. The ledger holds for each number the places where it may be: one place once the server has
answered, two while an operation is open. "" is the place of what is not there.
"""
import random
import re
import socket
import threading
import time

DOMAIN = "example.test"
PASSWORD = "correct horse"
MAILBOXES = ("smtp", "lmtp", "imap1", "imap2", "pop")


def message(number, size=2000, sender="load@outside.test"):
    line = f"line of {number} ".ljust(70, "x") + "\r\n"
    return (f"From: <{sender}>\r\nSubject: message {number}\r\nX-Number: {number}\r\n\r\n"
            + line * (size // len(line)) + f"END {number}\r\n")


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.numbers = 0
        self.places = {name: {} for name in MAILBOXES}  # mailbox -> number -> places where it may be
        self.flagged = {}    # number -> {True}, {False} or both
        self.uids = {}       # (mailbox, number) -> UID in INBOX, as the server said or as it was seen
        self.queued = {}     # number -> places: "queue" and "sink" count as one place, "there"
        self.acknowledged = 0
        self.refused = 0
        self.cut = False     # The power is being cut: no answer reaches anybody any more

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def table(self, mailbox):
        return self.queued if mailbox == "queue" else self.places[mailbox]

    def begin(self, mailbox, number, place):
        with self.lock:
            table = self.table(mailbox)
            before = table.get(number, {""})
            table[number] = before | {place}

    def done(self, mailbox, number, place):
        with self.lock:
            if self.cut:
                return
            self.table(mailbox)[number] = {place}
            self.acknowledged += 1

    def refuse(self):
        """The server said no. The operation stays open: after a failed sync (451) the disk may have it all the same, as
        after a lost answer; the next start finds out."""
        with self.lock:
            self.refused += 1

    def open(self):
        """How many operations nobody knows the outcome of."""
        with self.lock:
            tables = [self.queued, *self.places.values()]
            return sum(len(places) > 1 for table in tables for places in table.values())


class Gone(Exception):
    """The connection has ended."""


class Lines:
    """A connection that speaks in lines."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.settimeout(30)
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Gone()
        return line

    def close(self):
        self.socket.close()


class Imap(Lines):
    def __init__(self, port, user):
        super().__init__(port)
        self.tag = 0
        self.line()
        self.ask(f'LOGIN {user}@{DOMAIN} "{PASSWORD}"')

    def ask(self, command, literal=None):
        """The untagged octets and whether the answer was OK; its text is in self.answer."""
        self.tag += 1
        tag = f"a{self.tag}".encode()
        command = tag + b" " + command.encode()
        if literal is not None:
            command += b" {%d+}\r\n" % len(literal) + literal
        self.send(command + b"\r\n")
        got = []
        while True:
            line = self.line()
            got.append(line)
            if line.endswith(b"}\r\n") and (size := re.search(rb"\{(\d+)\}\r\n$", line)):
                octets = self.file.read(int(size[1]))
                if len(octets) < int(size[1]):
                    raise Gone()
                got.append(octets)
            elif line.startswith(tag + b" "):
                self.answer = line
                return b"".join(got[:-1]), line.startswith(tag + b" OK")


class Smtp(Lines):
    def __init__(self, port, hello="EHLO"):
        super().__init__(port)
        self.reply()
        self.command(f"{hello} load.outside.test")

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != b"-":
                self.text = line
                return int(line[:3])

    def command(self, text):
        self.send(text + "\r\n")
        return self.reply()


class Worker(threading.Thread):
    """Does one kind of work until told to stop or its connection ends."""

    def __init__(self, server, ledger, seed):
        super().__init__(daemon=True)
        self.server, self.ledger, self.chance = server, ledger, random.Random(seed)
        self.stopping = False
        self.crash = None

    def run(self):
        while not self.stopping:
            try:
                self.work()
            except (OSError, Gone, ValueError):
                time.sleep(0.02)  # The server is gone, or was told to break: try again until told to stop.
            except Exception as error:  # A fault of the test itself must not look like a quiet server.
                self.crash = error
                return

    def hand_in(self, client, sender, recipients):
        """One transaction; `recipients` are (mailbox, number, address). True while the connection is of use."""
        number = recipients[0][1]
        if client.command(f"MAIL FROM:<{sender}>") != 250:
            return False
        for _, _, address in recipients:
            if client.command(f"RCPT TO:<{address}>") != 250:
                return False
        place = {"queue": "there"}
        if client.command("DATA") != 354:
            return False
        for box, n, _ in recipients:
            self.ledger.begin(box, n, place.get(box, "INBOX"))
        client.send(message(number, self.chance.choice((500, 2000, 8000)), sender) + ".\r\n")
        codes = [client.reply() for _ in (recipients if self.lmtp else recipients[:1])]
        codes += codes[:1] * (len(recipients) - len(codes))
        for (box, n, _), code in zip(recipients, codes):
            if code == 250:
                self.ledger.done(box, n, place.get(box, "INBOX"))
            else:
                self.ledger.refuse()
        return all(code == 250 for code in codes)

    lmtp = False


class ByExchanger(Worker):
    def work(self):
        client = Smtp(self.server.ports["exchanger"])
        while not self.stopping:
            if not self.hand_in(client, "load@outside.test",
                                [("smtp", self.ledger.number(), f"smtp@{DOMAIN}")]):
                time.sleep(0.02)
                break
        client.close()


class ByLmtp(Worker):
    lmtp = True

    def work(self):
        client = Smtp(self.server.ports["lmtp"], "LHLO")
        while not self.stopping:
            number = self.ledger.number()
            to = [("lmtp", number, f"lmtp@{DOMAIN}"), ("pop", number, f"pop@{DOMAIN}")]
            if not self.hand_in(client, "load@outside.test", to):
                time.sleep(0.02)
                break
            time.sleep(0.002)
        client.close()


class BySubmission(Worker):
    """Mail for elsewhere: to a host that hangs and to one that takes it."""

    def work(self):
        import base64
        client = Smtp(self.server.ports["submission"])
        secret = base64.b64encode(f"\0smtp@{DOMAIN}\0{PASSWORD}".encode()).decode()
        client.command(f"AUTH PLAIN {secret}")
        while not self.stopping:
            number = self.ledger.number()
            host = self.chance.choice(("sink.test", "dead.test"))
            if not self.hand_in(client, f"smtp@{DOMAIN}", [("queue", number, f"n{number}@{host}")]):
                time.sleep(0.02)
                break
            time.sleep(0.004)
        client.close()


class ByImap(Worker):
    def __init__(self, server, ledger, seed, user):
        super().__init__(server, ledger, seed)
        self.user = user

    def work(self):
        client = Imap(self.server.ports["imap"], self.user)
        client.ask("CREATE Archive")
        client.ask("SELECT INBOX")
        with self.ledger.lock:
            known = [n for n, places in self.ledger.places[self.user].items()
                     if places == {"INBOX"} and (self.user, n) in self.ledger.uids]
        while not self.stopping:
            kind = self.chance.random()
            if kind < 0.5 or not known:
                self.append(client, known)
                continue
            number = known[self.chance.randrange(len(known))]
            uid = self.ledger.uids[self.user, number]
            if kind < 0.7:
                with self.ledger.lock:
                    self.ledger.flagged[number] = self.ledger.flagged.get(number, {False}) | {True}
                if client.ask(f"UID STORE {uid} +FLAGS.SILENT (\\Flagged)")[1]:
                    with self.ledger.lock:
                        if not self.ledger.cut:
                            self.ledger.flagged[number] = {True}
                            self.ledger.acknowledged += 1
                continue
            known.remove(number)
            place = "Archive" if kind < 0.85 else ""
            self.ledger.begin(self.user, number, place)
            if place:
                _, good = client.ask(f"UID MOVE {uid} Archive")
            else:
                _, good = client.ask(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
                if good:
                    _, good = client.ask(f"UID EXPUNGE {uid}")
            if good:
                self.ledger.done(self.user, number, place)
            else:
                self.ledger.refuse()
        client.close()

    def append(self, client, known):
        number = self.ledger.number()
        self.ledger.begin(self.user, number, "INBOX")
        _, good = client.ask("APPEND INBOX", message(number).encode())
        if not good:
            self.ledger.refuse()
            time.sleep(0.02)
            return
        self.ledger.uids[self.user, number] = int(re.search(rb"APPENDUID \d+ (\d+)", client.answer)[1])
        self.ledger.done(self.user, number, "INBOX")
        known.append(number)


class ByPop3(Worker):
    def work(self):
        client = Lines(self.server.ports["pop3"])
        client.line()
        for command in (f"USER pop@{DOMAIN}", f"PASS {PASSWORD}", "STAT"):
            client.send(command + "\r\n")
            answer = client.line()
            if not answer.startswith(b"+OK"):
                raise Gone()
        deleted = []
        for position in range(1, min(6, int(answer.split()[1]) + 1)):
            client.send(f"TOP {position} 0\r\n")
            number = None
            while (line := client.line()) != b".\r\n":
                if line.startswith(b"X-Number: "):
                    number = int(line[10:])
            with self.ledger.lock:
                known = self.ledger.places["pop"].get(number) == {"INBOX"}
            if not known:
                continue  # Its delivery is not answered yet.
            client.send(f"DELE {position}\r\n")
            if client.line().startswith(b"+OK"):
                deleted.append(number)
        for number in deleted:
            self.ledger.begin("pop", number, "")
        client.send("QUIT\r\n")
        good = client.line().startswith(b"+OK")
        for number in deleted:
            # RFC 1939 §6: after an -ERR some or all may have been removed.
            if good:
                self.ledger.done("pop", number, "")
            else:
                self.ledger.refuse()
        client.close()
        time.sleep(0.01)


def workers(server, ledger, seed):
    kinds = [ByExchanger, ByExchanger, ByLmtp, BySubmission, ByPop3]
    made = [kind(server, ledger, seed * 100 + i) for i, kind in enumerate(kinds)]
    return made + [ByImap(server, ledger, seed * 100 + 50 + i, user) for i, user in enumerate(("imap1", "imap2"))]


def look(server, user):
    """What a mailbox holds: {folder: [(uid, number, whole, flagged)]}."""
    client = Imap(server.ports["imap"], user)
    out = {}
    for folder in ("INBOX", "Archive") if user.startswith("imap") else ("INBOX",):
        selected, good = client.ask(f"EXAMINE {folder}")
        out[folder] = []
        if not good or b"* 0 EXISTS" in selected:
            continue
        fetched, good = client.ask("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")
        if not good:
            raise AssertionError(f"{user} {folder} cannot be read: {client.answer}")
        for part in re.split(rb"\* \d+ FETCH \(", fetched)[1:]:
            uid = int(re.search(rb"UID (\d+)", part)[1])
            number = re.search(rb"X-Number: (\d+)\r\n", part)
            number = int(number[1]) if number else None
            whole = number is not None and b"\r\nEND %d\r\n" % number in part
            out[folder].append((uid, number, whole, b"\\Flagged" in part.split(b"BODY", 1)[0]))
    client.close()
    return out


def check_mailbox(ledger, user, seen):
    """Compares; the ledger takes what was seen for what is. Returns (problems, present but not acknowledged)."""
    problems, extra = [], 0
    where = {}
    for folder, rows in seen.items():
        last = 0
        for uid, number, whole, flagged in rows:
            if uid <= last:
                problems.append(f"{user} {folder}: UIDs do not rise")
            last = uid
            if not whole:
                problems.append(f"{user} {folder}: UID {uid} is not whole (number {number})")
            if number in where:
                problems.append(f"{user}: message {number} is there twice ({where[number][0]}, {folder})")
            where[number] = (folder, uid, flagged)
            told = ledger.uids.get((user, number))
            if folder == "INBOX" and told is not None and told != uid:
                problems.append(f"{user}: message {number} had UID {told}, now {uid}")
    table = ledger.places[user]
    for number in where:
        if number not in table:
            problems.append(f"{user}: message {number} was never sent here")
    for number, places in table.items():
        folder, uid, flagged = where.get(number, ("", None, False))
        if folder not in places:
            problems.append(f"{user}: message {number} is in '{folder}', promised in {sorted(places)}")
        if len(places) > 1 and folder:
            extra += 1
        if folder == "INBOX":
            ledger.uids[user, number] = uid
            if flagged not in ledger.flagged.get(number, {False}):
                problems.append(f"{user}: message {number} is flagged: {flagged}, promised otherwise")
            ledger.flagged[number] = {flagged}
        table[number] = {folder}
    for number in [n for n, places in table.items() if places == {""}]:
        del table[number]
    return problems, extra


def check_queue(ledger, waiting, sunk):
    """`waiting`: recipients in the queue; `sunk`: number -> how often the sink got it."""
    problems, extra = [], 0
    there = {int(m[1]) for m in (re.match(r"n(\d+)@", address) for address in waiting) if m} | set(sunk)
    for number, places in ledger.queued.items():
        if number not in there and "" not in places:
            problems.append(f"queue: message {number} is neither waiting nor delivered")
        extra += len(places) > 1 and number in there
        ledger.queued[number] = {"there"} if number in there else {""}
    return problems, extra
