#!/usr/bin/env python3
"""Compares how Facteur reads the messages of the corpora with Python's email package, GMime and Ruby's mail library.

  message_readers.py PROGRAM [CORPORA] [--show]        (python3 of Debian: it has the bindings of GMime)

PROGRAM is build/release/message_parts. Compared are the parts with their types, nesting and decoded octets, and of
Python and Ruby also subject, addresses, date and names of files. Ruby reads its own corpus only. Every difference must
be explained by a habit (reading_habits.py, value_habits.py), and every habit in docs/message-readers.md; what is not
fails, and so does a habit that the page names and nothing needs. Differences that are invented must not find an
explanation. Counts are printed for each corpus, reader and habit.
"""
import collections
import os
import pathlib
import re
import sys

import reading
import reading_habits
import value_habits

FOLDERS = ["mime-jwz/input", "mime4j", "mime-gmime/partial", "mime-mimekit/messages", "mime-mail-parser/eml",
           "mime-summary/summary/input", "mime-python", "mime-ruby-mail", "eai-arnt", "reports-mail-auth",
           "reports-parsedmarc", "rspamd-messages", "bounces-sisimai", "threads-notmuch"]
SUFFIXES = {".json", ".xml", ".bin", ".jpg", ".zip", ".gz", ".au", ".wav", ".out", ".png", ".pbm", ".pgm", ".ppm",
            ".sgi", ".webp", ".xbm", ".md", ".gif"}
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/message-readers.md"


def corpora():
    """As the tests of src/message find them: beside the checkout, or beside a folder above it."""
    if found := os.environ.get("FACTEUR_CORPORA"):
        return pathlib.Path(found)
    above = [folder / "shared/corpora" for folder in pathlib.Path(__file__).resolve().parents]
    return next((folder for folder in above if folder.is_dir()), pathlib.Path("../shared/corpora"))


class Comparison:
    """What came out for one reader."""

    def __init__(self, program, reader, show):
        self.program, self.reader, self.show = program, reader, show
        self.corpora = collections.defaultdict(collections.Counter)
        self.habits = collections.Counter()
        self.unexplained = []
        self.invented = self.believed = 0

    def count(self, corpus, what, name, habits, got, theirs):
        """`habits`: None if there is no explanation; () if nothing differs."""
        self.corpora[corpus][f"{what}s" if habits == () else f"{what}s otherwise"] += 1
        for habit in habits or ():
            self.habits[habit] += 1
        if habits is None:
            self.unexplained.append(f"{name}: {what}")
        if self.show and habits != ():
            print(f"{self.reader.name}: {name}: {what}: {', '.join(habits or ['not explained'])}\n  ours:   {got!r}\n  theirs: {theirs!r}")

    def add(self, corpus, name, raw):
        ours = self.program.read(raw)
        mine = self.reader.ours(ours)
        try:
            theirs = self.reader.read(raw)
        except Exception as error:  # A reader that refuses a message differs from us, which never does.
            theirs = f"error: {type(error).__name__}"
        habits = () if mine == theirs else reading_habits.why(self.program, self.reader, raw, theirs)
        self.count(corpus, "message", name, habits and sorted(habits), mine, theirs)
        if mine == theirs and not ours.marks and sum(self.corpora[corpus].values()) % 10 == 0:
            self.invent(raw, theirs)
        if not hasattr(self.reader, "values"):
            return
        for key, value in self.reader.values(raw).items():
            got = ours.values[key]
            same = value_habits.words(got) == value_habits.words(value)
            habit = same or value_habits.why(self.program, self.reader.name, ours, key, value)
            self.count(corpus, "value", f"{name} {key}", () if same else habit and [habit], got, value)

    def invent(self, raw, form):
        """Whether differences that nobody has would be explained: octets, a type, one part more."""
        for lie in (re.sub(r"(text/\w+):\d+:\d+", r"\1:1:1", form, count=1), form.replace("text/plain", "text/x", 1),
                    form.replace("]", " text/plain:1:1]", 1)):
            if lie != form:
                self.invented += 1
                self.believed += reading_habits.why(self.program, self.reader, raw, lie) is not None

    def report(self):
        name = self.reader.name
        print(f"{name}: {self.invented} invented differences, {self.believed} of them explained")
        whole = collections.Counter()
        for corpus, counts in self.corpora.items():
            whole.update(counts)
            print(f"{name}: {corpus}: {self.told(counts)}")
        print(f"{name}: all: {self.told(whole)}; not explained: {len(self.unexplained)}")
        for habit, count in sorted(self.habits.items()):
            print(f"{name}: {count:5} {habit}")
        for one in self.unexplained:
            print(f"{name}: NOT EXPLAINED: {one}")

    @staticmethod
    def told(counts):
        return ", ".join(f"{counts[what]} {what} the same, {counts[f'{what} otherwise']} otherwise"
                         for what in ("messages", "values") if counts[what] or counts[f"{what} otherwise"])


def explained_habits():
    """Rows "| `name` | reader reader | ..." of the page: (name, reader)."""
    found = set()
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            name, readers = line.split(" | ")[:2]
            found |= {(name.strip("| `"), reader) for reader in readers.replace(",", " ").split()}
    return found


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    root = pathlib.Path(arguments[1]) if len(arguments) > 1 else corpora()
    paths = [p for folder in FOLDERS for p in sorted((root / folder).glob("**/*"))
             if p.is_file() and p.suffix not in SUFFIXES and p.name != "ORIGIN.txt"]
    if not paths:
        print("skipped: the corpora are not here")
        return 0
    program = reading.Facteur(arguments[0])
    failed = False
    on_page = explained_habits()
    for reader in reading.readers():
        comparison = Comparison(program, reader, "--show" in sys.argv)
        for path in paths:
            name = str(path.relative_to(root))
            corpus = name.split("/")[0]
            if reader.name != "ruby" or corpus == "mime-ruby-mail":
                comparison.add(corpus, name, path.read_bytes())
        comparison.report()
        written = {name for name, one in on_page if one == reader.name}
        for habit in sorted(written ^ set(comparison.habits)):
            failed = True
            print(f"{reader.name}: {habit}: {'in the page, but not met' if habit in written else f'not explained in {PAGE.name}'}")
        failed = failed or bool(comparison.unexplained) or comparison.believed > 0
    program.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
