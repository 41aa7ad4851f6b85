#include "imap/command_parser.hpp"

#include <array>

#include "rfc_test.hpp"

namespace facteur::imap {
namespace {

bool valid(Bytes text) { return parse_command(text, false).has_value(); }
std::string error_of(Bytes text) {
  const auto parsed = parse_command(text, false);
  return parsed ? "" : parsed.error().text;
}
template <class Body>
Body body_of(Bytes text) {
  auto parsed = parse_command(text, false);
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<Body>(parsed->command.body));
  return std::get<Body>(std::move(parsed->command.body));
}

// Every form of the grammar, one a line; "@" stands for CRLF.
constexpr std::array valid_commands{
    "a1 CAPABILITY",
    "a NOOP",
    "a nOoP",
    "a LOGOUT",
    "a ID NIL",
    "a ID ()",
    "a ID (\"name\" \"Thunderbird\" \"version\" NIL)",
    "a STARTTLS",
    "a LOGIN anne secret",
    "a LOGIN \"an\\\"ne\" {6}@secret",
    "a LOGIN {4+}@anne {0}@",
    "a AUTHENTICATE PLAIN",
    "a AUTHENTICATE PLAIN =",
    "a authenticate plain AGFubmUAc2VjcmV0",
    "a ENABLE CONDSTORE UTF8=ACCEPT IMAP4rev2",
    "a SELECT INBOX",
    "a SELECT \"My mail\" (CONDSTORE)",
    "a SELECT INBOX (QRESYNC (67890007 90060115194045000 41,43:211,214:541))",
    "a SELECT INBOX (QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9000 15000,22500,27000)))",
    "a EXAMINE &Jjo-",
    "a CREATE owatagusiam/",
    "a CREATE Drafts (USE (\\Drafts))",
    "a DELETE x",
    "a RENAME x \"y z\"",
    "a SUBSCRIBE #news.comp",
    "a UNSUBSCRIBE x",
    "a LIST \"\" *",
    "a LIST \"\" \"\"",
    "a LIST foo (INBOX \"%\")",
    "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (CHILDREN STATUS (MESSAGES SIZE) SPECIAL-USE)",
    "a LIST () \"\" % RETURN ()",
    "a LSUB \"\" \"%\"",
    "a NAMESPACE",
    "a STATUS blurdybloop (UIDNEXT MESSAGES)",
    "a IDLE",
    "a CHECK",
    "a CLOSE",
    "a UNSELECT",
    "a EXPUNGE",
    "a UID EXPUNGE 3000:3002",
    "a SEARCH ALL",
    "a SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
    "a SEARCH TEXT {6}@string",
    "a SEARCH RETURN (MIN COUNT) CHARSET UTF-8 OR (SEEN 1:5) UID *",
    "a SEARCH RETURN () $ SMALLER 100",
    "a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
    "a UID SEARCH KEYWORD $Junk UNKEYWORD x HEADER X-Y {0}@",
    "a SEARCH SENTON \"01-Feb-1994\" EMAILID M1 THREADID T1",
    "a FETCH 1 FULL",
    "a FETCH 2:4,7,* (FLAGS BODY[HEADER.FIELDS (DATE \"FROM\")])",
    "a FETCH 1 BODY.PEEK[1.2.MIME]<0.1024>",
    "a FETCH 1 (BODY[] BODY[TEXT] BODY[3.HEADER.FIELDS.NOT (x)] RFC822.SIZE UID)",
    "a FETCH 1 (BINARY.PEEK[1]<2.3> BINARY.SIZE[1.1] BINARY[])",
    "a FETCH 1 (PREVIEW (LAZY) UID)",
    "a FETCH 1 PREVIEW",
    "a FETCH 1 PREVIEW (LAZY) (CHANGEDSINCE 5)",
    "a FETCH 1 PREVIEW (CHANGEDSINCE 5)",
    "a UID FETCH 1:* PREVIEW (CHANGEDSINCE 5 VANISHED)",
    "a UID FETCH $ (MODSEQ EMAILID THREADID) (CHANGEDSINCE 12345 VANISHED)",
    "a STORE 2:4 +FLAGS (\\Deleted $Forwarded)",
    "a STORE 1 FLAGS.SILENT ()",
    "a STORE 1 (UNCHANGEDSINCE 0) -FLAGS \\Seen \\Draft",
    "a COPY 2:4 MEETING",
    "a UID MOVE 42:69 foo",
};

std::string with_lines(Bytes text) {
  std::string out;
  for (const char c : text) {
    if (c == '@') {
      out += "\r\n";
    } else {
      out += c;
    }
  }
  return out;
}

TEST_RFC("9051 §9", "valid commands") {
  for (const auto* text : valid_commands) {
    CAPTURE(text);
    CHECK(error_of(with_lines(text)).empty());
  }
}

TEST_RFC("9051 §9", "commands cut off at any octet are refused or are a shorter valid one, and never read further") {
  for (const auto* text : valid_commands) {
    const auto whole = with_lines(text);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      // A copy of exact size, so that the sanitizer sees any octet read behind it.
      const std::string cut(whole, 0, length);
      const auto parsed = parse_command(cut, length % 2 == 0);
      if (parsed) CHECK_FALSE(parsed->command.tag.empty());
      if (!parsed) CHECK_FALSE(parsed.error().text.empty());
    }
  }
}

TEST_RFC("9051 §9", "invalid commands") {
  for (const auto* text : {
           "",
           " ",
           "a",
           "a ",
           "+ NOOP",
           "a+ NOOP",
           "a  NOOP",
           "a NOOP ",
           "a NOOP x",
           "a BOGUS",
           "a LOGIN",
           "a LOGIN x",
           "a LOGIN x y z",
           "a LOGIN \"x y",
           "a LOGIN \"x\\n\" y",
           "a LOGIN {5}@abc d",
           "a LOGIN (x) y",
           "a ID (\"a\")",
           "a ID (a \"b\")",
           "a ENABLE",
           "a SELECT",
           "a SELECT \"\"",
           "a SELECT x (FOO)",
           "a SELECT *",
           "a SELECT x (QRESYNC (0 1))",
           "a CREATE x (USE \\Drafts)",
           "a RENAME x",
           "a LIST *",
           "a LIST \"\" ()",
           "a LIST (RECURSIVEMATCH) \"\" *",
           "a LIST \"\" * RETURN (FOO)",
           "a STATUS x",
           "a STATUS x ()",
           "a STATUS x (FOO)",
           "a UID",
           "a UID NOOP",
           "a UID EXPUNGE",
           "a UID UID FETCH 1 FLAGS",
           "a EXPUNGE 1",
           "a SEARCH",
           "a SEARCH FOO",
           "a SEARCH NOT",
           "a SEARCH OR ALL",
           "a SEARCH (ALL",
           "a SEARCH ALL)",
           "a SEARCH SINCE 30-Feb-1994",
           "a SEARCH SINCE 1-Foo-1994",
           "a SEARCH LARGER x",
           "a SEARCH RETURN (FOO) ALL",
           "a SEARCH 0",
           "a SEARCH 1:",
           "a SEARCH MODSEQ x",
           "a FETCH",
           "a FETCH 1",
           "a FETCH 1 ()",
           "a FETCH 1 (ALL)",
           "a FETCH 0 FLAGS",
           "a FETCH 1 FOO",
           "a FETCH 1 PREVIEW (EAGER)",
           "a FETCH 1 PREVIEW ()",
           "a FETCH 1 PREVIEW (LAZY CHANGEDSINCE 5)",
           "a FETCH 1 PREVIEW (LAZYCHANGEDSINCE 5)",
           "a FETCH 1 PREVIEW (CHANGEDSINCE 5) (LAZY)",
           "a FETCH 1 (PREVIEW (CHANGEDSINCE 5))",
           "a FETCH 1 UID (LAZY)",
           "a FETCH 1 BODY[",
           "a FETCH 1 BODY[]<0>",
           "a FETCH 1 BODY[]<0.0>",
           "a FETCH 1 BODY[MIME]",
           "a FETCH 1 BODY[0]",
           "a FETCH 1 BODY[1.]",
           "a FETCH 1 BODY[HEADER.FIELDS ()]",
           "a FETCH 1 BODY[1 TEXT]",
           "a FETCH 1 BINARY[TEXT]",
           "a FETCH 1 BINARY.SIZE[1]<0.1>",
           "a FETCH 1 FLAGS (VANISHED)",
           "a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
           "a FETCH 4294967296 FLAGS",
           "a STORE 1 FLAGS",
           "a STORE 1 FLAGS (\\Recent)",
           "a STORE 1 FLAGS (\\Foo)",
           "a STORE 1 *FLAGS ()",
           "a STORE 1 (UNCHANGEDSINCE x) FLAGS ()",
           "a COPY 1",
           "a COPY x y",
           "a APPEND x",
       }) {
    CAPTURE(text);
    CHECK_FALSE(valid(with_lines(text)));
  }
}

TEST_RFC("9051 §6.4.4", "search keys become a tree; an unknown charset is no syntax error") {
  const auto search = body_of<SearchCommand>("a SEARCH UNSEEN OR FROM x (DELETED OLD)");
  REQUIRE(search.key.children.size() == 2);
  CHECK(search.key.children[0].kind == SearchKey::Kind::negation);
  CHECK(search.key.children[0].children[0].bit == 1);
  CHECK(search.key.children[1].kind == SearchKey::Kind::either);
  CHECK(search.key.children[1].children[0].field == "From");
  CHECK(search.key.children[1].children[1].children.size() == 2);
  const auto unknown = parse_command("a SEARCH CHARSET KOI8-R TEXT x", false);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == "BADCHARSET (US-ASCII UTF-8)");
}

TEST_RFC("9051 §6.4.5", "sections and partials") {
  const auto fetch = body_of<FetchCommand>("a UID FETCH 1:* (UID BODY.PEEK[2.1.HEADER.FIELDS (From)]<5.10>)");
  CHECK(fetch.uid);
  REQUIRE(fetch.items.size() == 2);
  const auto& item = fetch.items[1];
  CHECK(item.peek);
  CHECK(item.section.part == std::vector<std::uint32_t>{2, 1});
  CHECK(item.section.text == Section::Text::header_fields);
  CHECK(item.section.fields == std::vector<std::string>{"From"});
  CHECK(item.partial == std::pair<std::uint32_t, std::uint32_t>{5, 10});
  CHECK(body_of<FetchCommand>("a FETCH 1 FAST").items.size() == 3);
}

TEST_RFC("3501 §5.1.3", "mailbox names are modified UTF-7, or UTF-8 once enabled") {
  CHECK(body_of<SelectCommand>("a SELECT inbox").mailbox == "INBOX");
  CHECK(body_of<SelectCommand>("a SELECT InBox/x").mailbox == "INBOX/x");
  CHECK(body_of<SelectCommand>("a SELECT p&AOQA5A-").mailbox == "p\xc3\xa4\xc3\xa4");
  CHECK(body_of<SelectCommand>("a SELECT R&-D").mailbox == "R&D");
  CHECK(body_of<SelectCommand>("a SELECT R&D").mailbox == "R&D");
  const auto utf8 = parse_command("a SELECT \"R&-D \xc3\xa4\"", true);
  REQUIRE(utf8);
  CHECK(std::get<SelectCommand>(utf8->command.body).mailbox == "R&-D \xc3\xa4");
  CHECK_FALSE(parse_command("a SELECT \"\xff\"", true));
  const auto create = body_of<CreateCommand>("a CREATE \"x/\"");
  CHECK(create.mailbox == "x");
  CHECK(create.only_parent);
}

TEST_CASE("depth and number of arguments are bounded (RELIABILITY S41)") {
  std::string deep = "a SEARCH ";
  for (int i = 0; i < 100'000; ++i) deep += '(';
  CHECK(error_of(deep) == "Too deeply nested");
  std::string nots = "a SEARCH";
  for (int i = 0; i < 100'000; ++i) nots += " NOT";
  CHECK(error_of(nots) == "Too deeply nested");
  std::string ors = "a SEARCH";
  for (int i = 0; i < 100'000; ++i) ors += " OR";
  CHECK(error_of(ors) == "Too deeply nested");
  std::string keys = "a SEARCH ALL";
  for (int i = 0; i < 100'000; ++i) keys += " ALL";
  CHECK(error_of(keys) == "Too many arguments");
  std::string id = "a ID (\"a\" \"b\"";
  for (int i = 0; i < 40; ++i) id += " \"a\" \"b\"";
  CHECK(error_of(id + ")") == "Too many ID fields");
  std::string fetch = "a FETCH 1 (FLAGS";
  for (int i = 0; i < 1000; ++i) fetch += " FLAGS";
  CHECK(error_of(fetch + ")") == "Too many FETCH items");
}

TEST_RFC("9051 §6.3.12", "APPEND up to its literal") {
  const auto name = parse_append("a APPEND ", false);
  REQUIRE(name);
  CHECK(name->kind == AppendStart::Kind::name);
  const auto whole = parse_append("a APPEND INBOX (\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" ", false);
  REQUIRE(whole);
  CHECK(whole->parameters.mailbox == "INBOX");
  CHECK(whole->parameters.flags.bits == 1);
  CHECK(whole->parameters.flags.keywords == std::vector<std::string>{"$Junk"});
  CHECK(whole->parameters.received->seconds() == 837596665);
  CHECK(parse_append("a APPEND {5}\r\nINBOX ", false)->parameters.mailbox == "INBOX");
  CHECK(parse_append("a APPEND INBOX UTF8 (", false)->parameters.utf8);
  for (const auto* text : {"a APPEND INBOX", "a APPEND INBOX x ", "a APPEND INBOX (\\Seen ", "a APPEND INBOX \"x\" ",
                           "a APPEND INBOX UTF8 ", "a APPEND INBOX UTF8 (x", "a APPEND INBOX CATENATE ("}) {
    CAPTURE(text);
    CHECK_FALSE(parse_append(text, false));
  }
  CHECK_FALSE(*parse_append_rest("", false, false));
  CHECK_FALSE(*parse_append_rest(")", true, false));
  CHECK((*parse_append_rest(" (\\Draft) ", false, true))->flags.bits == 8);
  CHECK_FALSE(parse_append_rest("x", false, false));
  CHECK_FALSE(parse_append_rest("", true, false));
  CHECK_FALSE(parse_append_rest("", false, true));
}

}  // namespace
}  // namespace facteur::imap
