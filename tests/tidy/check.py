#!/usr/bin/env python3
"""The few rules of the source that are architecture: purity of folders, banned calls, unique failure codes and types, READMEs."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
PURE = {"base", "crypto", "message", "sasl", "smtp", "imap", "pop3"}
PURE_BANS = [
    (r"\bco_await\b|\bco_return\b", "a coroutine: engines are state machines; drive them from server/"),
    (r"#\s*include\s*<(thread|mutex|shared_mutex|condition_variable|fstream|iostream|random|filesystem)>",
     "the outside world: take a door (world/) in a layer above"),
    (r"#\s*include\s*<sys/", "the operating system: only host/ includes it"),
    (r"\bnow\(\)", "an ambient clock: the time is an input"),
]
BANS = [
    ("host", r"#\s*include\s*<boost/asio|#\s*include\s*<unbound", "Asio and libunbound belong to host/"),
    ("crypto", r"#\s*include\s*<openssl/|#\s*include\s*<argon2", "OpenSSL and argon2 belong to crypto/"),
    ("store", r"#\s*include\s*<rocksdb/", "the database belongs to store/"),
]
ANYWHERE = [
    (r"\b(sprintf|strcpy|strcat|gets|strtok)\s*\(", "an unbounded C string function: use std::string or fmt"),
    (r"\b(system|popen)\s*\(", "a shell: use world::Programs"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "an unfinished thing: finish it, or write what is missing in the folder's README"),
]
EXEMPT = {"base": {"task.hpp", "task.cpp", "wait.hpp", "time.hpp"}}  # The coroutine types themselves.

# A type at namespace scope, defined here; not one inside of another (`struct A::B {`).
NAMESPACE = re.compile(r"(?:inline )?namespace\s*([\w:]*)\s*\{\s*$")
TYPE = re.compile(r"(?:template <.*> )?(?:struct|class|union|enum(?: class)?)\s+(\w+)(?:\s+final)?\s*(?::[^:;][^;]*)?\{")


def types(text):
    """(line number, qualified name) of the types that other files may see: none of an unnamed namespace."""
    inside = []
    for number, line in enumerate(text.splitlines(), 1):
        if opened := NAMESPACE.match(line):
            inside.append(opened.group(1))
        elif re.match(r"\}\s*// namespace", line):
            inside[-1:] = []
        elif "" not in inside and (found := TYPE.match(line)):
            yield number, "::".join([*inside, found.group(1)])


errors = []
codes = {}
defined = {}
for path in sorted((root / "src").glob("**/*.[ch]pp")):
    folder = path.parent.name
    test = path.stem.endswith(("_test", "_fuzz", "_bench"))
    for number, name in types(path.read_text()) if not path.stem.endswith(("_fuzz", "_bench")) else ():
        where = f"{path.relative_to(root)}:{number}"
        if name in defined:
            # No compiler and no linker says so, and constructors of the one run on memory of the other.
            errors.append(f"{where}: {name} is another type at {defined[name]}")
        defined[name] = where
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = line.split("//", 1)[0] if not re.search(r'"[^"]*//', line) else line
        where = f"{path.relative_to(root)}:{number}"
        if folder in PURE and not test and path.name not in EXEMPT.get(folder, ()):
            for pattern, why in PURE_BANS:
                if re.search(pattern, code):
                    errors.append(f"{where}: {why}")
        for home, pattern, why in BANS:
            if folder != home and re.search(pattern, code):
                errors.append(f"{where}: {why}")
        for pattern, why in ANYWHERE:
            if re.search(pattern, line if "TODO" in pattern else code):
                errors.append(f"{where}: {why}")
        if not test:
            for failure in re.findall(r'"(F-[0-9]{4})"', code):
                if failure in codes:
                    errors.append(f"{where}: {failure} is also used at {codes[failure]}: each place has its own code")
                codes[failure] = where
        if re.match(r"(<{7}|>{7}|={7})( |$)", line):
            errors.append(f"{where}: a mark of an unfinished merge")
        if len(line) > 120:
            errors.append(f"{where}: line of {len(line)} columns (120 at most)")
        # A capturing lambda or braced temporary in a co_await expression: compilers have destroyed these twice.
        if re.search(r"co_await\s+[\w:.>-]+\([^;]*\[[^\]]*\w[^\]]*\]\s*(\([^)]*\)\s*)?(mutable\s*)?\{", code) and not test:
            errors.append(f"{where}: a capturing lambda inside a co_await expression: name it first")

for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
    if any(folder.glob("*.[ch]pp")):
        readme = folder / "README.md"
        if not readme.exists():
            errors.append(f"{folder.relative_to(root)}: no README.md")
        elif len(readme.read_text().splitlines()) > 40:
            errors.append(f"{readme.relative_to(root)}: more than 40 lines")

for error in errors:
    print(error)
print(f"tidy: {len(codes)} failure codes, {len(defined)} types, {len(errors)} errors")
sys.exit(bool(errors))
