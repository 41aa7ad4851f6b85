#include "server/imap_service.hpp"

#include "rfc_test.hpp"
#include "server/imap_stage_test.hpp"

namespace facteur::server::stage {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_RFC("9051 §6.3.2", "login, append, select, fetch, store, expunge, logout") {
  Stage stage;
  Client client(stage);
  CHECK(client.greeting.starts_with("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 "));
  CHECK(has(client.ask("LOGIN anne wrong"), "NO [AUTHENTICATIONFAILED]"));
  CHECK(has(client.ask("LOGIN anne secret"), "OK [CAPABILITY "));
  CHECK(
      has(client.append("INBOX", message_of("one"), "(\\Flagged) \"17-Jul-1996 02:44:25 -0700\" "), "OK [APPENDUID "));
  CHECK(has(client.append("INBOX", message_of("two")), " 2] "));
  CHECK(has(client.append("Nowhere", message_of("three")), "NO [TRYCREATE]"));
  const auto selected = client.ask("SELECT inbox");
  CHECK(has(selected, "* 2 EXISTS\r\n"));
  CHECK(has(selected, "* 2 RECENT\r\n"));
  CHECK(has(selected, "* OK [UNSEEN 1]"));
  CHECK(has(selected, "[UIDNEXT 3]"));
  CHECK(has(selected, "OK [READ-WRITE]"));
  CHECK(has(client.ask("FETCH 1:* (UID FLAGS INTERNALDATE)"),
            "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\")\r\n"
            "* 2 FETCH (UID 2 FLAGS (\\Recent) INTERNALDATE "));
  CHECK(has(client.ask("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"),
            "* 2 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: two\r\n\r\n)\r\n"));
  const auto whole = message_of("two");
  const auto fetched = client.ask("FETCH 2 BODY[]");
  CHECK(has(fetched,
            "* 2 FETCH (BODY[] {" + std::to_string(whole.size()) + "}\r\n" + whole + " FLAGS (\\Seen \\Recent))\r\n"));
  CHECK_FALSE(has(fetched, "* 2 FETCH (FLAGS"));
  CHECK(has(client.ask("FETCH 1:2 PREVIEW"), "* 2 FETCH (PREVIEW \""));
  CHECK(has(client.ask("FETCH 1 ENVELOPE"), "ENVELOPE (\"Sat, 24 Mar 2007 23:00:00 +0200\" \"one\" "));
  CHECK(has(client.ask("STORE 1 +FLAGS (\\Deleted $Work)"), "* 1 FETCH (FLAGS (\\Flagged \\Deleted \\Recent $Work))"));
  CHECK(has(client.ask("SEARCH DELETED"), "* SEARCH 1\r\n"));
  CHECK(has(client.ask("UID SEARCH RETURN (COUNT ALL) SUBJECT TWO"), " UID ALL 2 COUNT 1\r\n"));
  CHECK(has(client.ask("EXPUNGE"), "* 1 EXPUNGE\r\n"));
  CHECK(has(client.ask("NOOP"), "t16 OK"));
  CHECK(has(client.ask("FETCH 2 UID"), "BAD"));
  const auto bye = client.ask("LOGOUT");
  CHECK(bye.starts_with("* BYE "));
  client.listen(1s);
  CHECK(client.ended);
}

TEST_RFC("9051 §6.3.13", "IDLE tells of what another session does") {
  Stage stage;
  Client watcher(stage);
  Client actor(stage);
  watcher.log_in();
  actor.log_in();
  watcher.ask("SELECT INBOX");
  actor.ask("SELECT INBOX");
  watcher.send("i IDLE\r\n");
  watcher.until("+ ");
  actor.append("INBOX", message_of("x"));
  CHECK(has(watcher.listen(1s), "* 1 EXISTS\r\n"));
  actor.ask("STORE 1 +FLAGS (\\Answered \\Deleted)");
  CHECK(has(watcher.listen(1s), "* 1 FETCH (FLAGS (\\Answered \\Deleted"));
  actor.ask("EXPUNGE");
  CHECK(has(watcher.listen(1s), "* 1 EXPUNGE\r\n"));
  CHECK(has(watcher.listen(4min), "* OK Still here\r\n"));
  watcher.send("DONE\r\n");
  CHECK(has(watcher.until("i "), "i OK"));
}

TEST_RFC("9051 §7.3.1", "a keyword that comes with a new message is told") {
  Stage stage;
  Client client(stage);
  client.log_in();
  client.ask("SELECT INBOX");
  const auto told = client.ask("APPEND INBOX (fresh) {21+}\r\nSubject: one\r\n\r\nbody\r\n");
  CHECK(has(told, "* 1 EXISTS\r\n"));
  CHECK(has(told, " fresh)\r\n"));
  CHECK(has(client.ask("FETCH 1 (FLAGS)"), "fresh"));
}

TEST_RFC("9051 §6.4.6", "STORE on many messages is told once, and not again") {
  Stage stage;
  Client client(stage), other(stage);
  client.log_in();
  for (int i = 0; i < 300; ++i) client.append("INBOX", message_of("m" + std::to_string(i)));
  client.ask("SELECT INBOX");
  other.log_in();
  other.ask("SELECT INBOX");
  const auto told = client.ask("STORE 1:* +FLAGS (\\Flagged)");
  CHECK(has(told, "* 1 FETCH (FLAGS (\\Flagged"));
  CHECK(has(told, "* 300 FETCH (FLAGS (\\Flagged"));
  CHECK_FALSE(has(client.ask("NOOP"), "FETCH"));
  CHECK(has(other.ask("NOOP"), "* 300 FETCH (FLAGS (\\Flagged"));
  other.ask("STORE 7 +FLAGS (\\Answered)");
  // What the other has changed meanwhile must be told, even if this one asks to be left alone.
  const auto silent = client.ask("STORE 1:* +FLAGS.SILENT (\\Deleted)");
  CHECK(has(silent, "* 7 FETCH (FLAGS (\\Answered \\Flagged \\Deleted"));
  CHECK_FALSE(has(silent, "* 8 FETCH"));
  CHECK_FALSE(has(client.ask("NOOP"), "FETCH"));
  CHECK(has(client.ask("STORE 1:* -FLAGS (\\Deleted)"), "OK STORE"));
  CHECK(has(client.ask("FETCH 7 (FLAGS)"), "(\\Answered \\Flagged"));
}

TEST_RFC("9051 §7.5.1", "no EXPUNGE while message numbers are in use") {
  Stage stage;
  Client one(stage);
  Client two(stage);
  one.log_in();
  two.log_in();
  for (const auto* subject : {"a", "b", "c"}) one.append("INBOX", message_of(subject));
  one.ask("SELECT INBOX");
  two.ask("SELECT INBOX");
  two.ask("STORE 1 +FLAGS.SILENT \\Deleted");
  two.ask("EXPUNGE");
  CHECK_FALSE(has(one.ask("FETCH 1:3 UID"), "EXPUNGE"));
  CHECK_FALSE(has(one.ask("STORE 2 +FLAGS \\Seen"), "EXPUNGE"));
  CHECK_FALSE(has(one.ask("SEARCH ALL"), "EXPUNGE"));
  CHECK(has(one.ask("UID SEARCH ALL"), "* 1 EXPUNGE\r\n"));
  CHECK(has(one.ask("FETCH 1 (UID FLAGS)"), "* 1 FETCH (UID 2 FLAGS (\\Seen"));
}

TEST_RFC("6851 §3", "MOVE, COPY and their UIDs") {
  Stage stage;
  Client client(stage);
  client.log_in();
  client.ask("CREATE Work/2026");
  for (const auto* subject : {"a", "b", "c"}) client.append("INBOX", message_of(subject));
  client.ask("SELECT INBOX");
  CHECK(has(client.ask("COPY 1:2 Nowhere"), "NO [TRYCREATE]"));
  CHECK(has(client.ask("COPY 1:2 Work/2026"), " 1:2 1:2] COPY completed"));
  const auto moved = client.ask("MOVE 2:3 Work/2026");
  CHECK(has(moved, "* OK [COPYUID "));
  CHECK(has(moved, "* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n"));
  CHECK(has(client.ask("STATUS Work/2026 (MESSAGES UIDNEXT SIZE)"), "* STATUS Work/2026 (MESSAGES "));
}

TEST_RFC("7162 §3.1.3", "CONDSTORE: UNCHANGEDSINCE and CHANGEDSINCE") {
  Stage stage;
  Client client(stage);
  client.log_in();
  for (const auto* subject : {"a", "b"}) client.append("INBOX", message_of(subject));
  CHECK(has(client.ask("SELECT INBOX (CONDSTORE)"), "[HIGHESTMODSEQ "));
  const auto before = client.ask("FETCH 1 MODSEQ");
  const auto at = before.find("MODSEQ (") + 8;
  const auto modseq = before.substr(at, before.find(')', at) - at);
  CHECK(has(client.ask("STORE 1 +FLAGS.SILENT \\Seen"), "* 1 FETCH (UID 1 MODSEQ ("));
  CHECK(has(client.ask("STORE 1 (UNCHANGEDSINCE " + modseq + ") +FLAGS \\Flagged"), "OK [MODIFIED 1]"));
  CHECK(has(client.ask("FETCH 1:* FLAGS (CHANGEDSINCE " + modseq + ")"), "* 1 FETCH (FLAGS (\\Seen"));
  CHECK(has(client.ask("SEARCH MODSEQ " + modseq), "(MODSEQ "));
}

TEST_RFC("7162 §3.2", "QRESYNC only after ENABLE; VANISHED in place of EXPUNGE") {
  Stage stage;
  Client client(stage);
  client.log_in();
  for (const auto* subject : {"a", "b", "c", "d"}) client.append("INBOX", message_of(subject));
  CHECK(has(client.ask("SELECT INBOX (QRESYNC (1 1))"), "BAD"));
  CHECK(has(client.ask("ENABLE QRESYNC"), "* ENABLED QRESYNC\r\n"));
  const auto selected = client.ask("SELECT INBOX");
  const auto told = [&selected](const std::string& code) {
    const auto at = selected.find("[" + code + " ") + code.size() + 2;
    return selected.substr(at, selected.find(']', at) - at);
  };
  const auto before = told("HIGHESTMODSEQ");
  client.ask("UID STORE 2:3 +FLAGS.SILENT \\Deleted");
  const auto expunged = client.ask("EXPUNGE");
  CHECK(has(expunged, "* VANISHED 2:3\r\n"));
  CHECK(has(expunged, "OK [HIGHESTMODSEQ "));
  const auto caught_up = client.ask("UID FETCH 1:* (FLAGS) (CHANGEDSINCE " + before + " VANISHED)");
  CHECK(has(caught_up, "* VANISHED (EARLIER) 2:3\r\n"));
  CHECK_FALSE(has(caught_up, "FETCH (UID 1"));
  const std::string known = told("UIDVALIDITY") + " " + before + " 1:2";
  CHECK(has(client.ask("SELECT INBOX (QRESYNC (" + known + "))"), "* VANISHED (EARLIER) 2\r\n"));
  // RFC 7162 §3.2.5.1: of another UIDVALIDITY, as after a restore, nothing is told: the client drops what it has.
  CHECK_FALSE(has(client.ask("SELECT INBOX (QRESYNC (1 " + before + " 1:2))"), "VANISHED"));
}

TEST_RFC("9051 §6.3.9", "LIST, special uses, LSUB and STATUS in LIST") {
  Stage stage;
  Client client(stage);
  client.log_in();
  const auto all = client.ask("LIST \"\" *");
  CHECK(all.starts_with("* LIST (\\HasNoChildren) \"/\" INBOX\r\n"));
  CHECK(has(all, "\\Sent) \"/\" Sent\r\n"));
  client.ask("CREATE p&AOQ-/q");
  CHECK(has(client.ask("LIST \"\" %"), "* LIST (\\HasChildren) \"/\" p&AOQ-\r\n"));
  CHECK(has(client.ask("LIST \"\" \"\""), "* LIST (\\NoSelect) \"/\" \"\"\r\n"));
  CHECK(has(client.ask("LIST (SPECIAL-USE) \"\" * RETURN (STATUS (MESSAGES))"), "* STATUS Drafts (MESSAGES 0)\r\n"));
  client.ask("SUBSCRIBE p&AOQ-/q");
  CHECK(has(client.ask("LSUB \"\" *"), "p&AOQ-/q\r\n"));
  CHECK(has(client.ask("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %"), "p&AOQ- (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"));
  CHECK(has(client.ask("RENAME p&AOQ- other"), "OK"));
  CHECK(has(client.ask("LIST \"\" other/*"), "\"/\" other/q\r\n"));
  CHECK(has(client.ask("DELETE INBOX"), "NO [CANNOT]"));
  CHECK(has(client.ask("CREATE Inbox"), "NO [ALREADYEXISTS]"));
}

TEST_CASE("the quota stops an APPEND before its octets are read") {
  Stage stage;
  stage.accounts.quota = 1000;
  Client client(stage);
  client.log_in();
  CHECK(has(client.append("INBOX", message_of("small")), "OK"));
  CHECK(has(client.ask("APPEND INBOX {5000}"), "NO [OVERQUOTA]"));
}

TEST_CASE("RELIABILITY R5: a store that takes nothing new refuses APPEND before its octets, and lets delete") {
  Stage stage;
  Client client(stage);
  client.log_in();
  CHECK(has(client.append("INBOX", message_of("small")), "OK"));
  client.ask("SELECT INBOX");
  stage.engine->set_health(store::Engine::Health::low_space);
  CHECK(has(client.ask("APPEND INBOX {50}"), "NO [UNAVAILABLE]"));
  CHECK(has(client.ask("STORE 1 +FLAGS (\\Deleted)"), "OK"));
  CHECK(has(client.ask("EXPUNGE"), "* 1 EXPUNGE"));
  stage.engine->set_health(store::Engine::Health::good);
  CHECK(has(client.append("INBOX", message_of("again")), "OK"));
}

TEST_CASE("RELIABILITY R5: of a message that becomes unreadable while it is sent no whole literal comes") {
  Stage stage(3);
  Client client(stage);
  client.log_in();
  const auto message = message_of("large", std::string(3'000'000, 'x') + "\r\nthe end\r\n");
  CHECK(has(client.append("INBOX", message), "OK"));
  client.ask("SELECT INBOX");
  client.send("big FETCH 1 BODY.PEEK[]\r\n");
  REQUIRE(stage.world.run_until([&] { return client.received.size() > 1000; }, 10min));
  REQUIRE(client.received.size() < message.size());
  stage.pages.lost = 1;
  REQUIRE(stage.world.run_until([&] { return client.ended; }, 10min));
  CHECK(client.received.size() < message.size());
  CHECK_FALSE(has(client.received, "the end"));
  CHECK_FALSE(has(client.received, "big OK"));

  Client again(stage);  // Read anew, and compared with its checksum: whole, as the page can be read by read().
  again.log_in();
  again.ask("SELECT INBOX");
  CHECK(has(again.ask("FETCH 1 BODY.PEEK[]"), message));
}

TEST_CASE("RELIABILITY R5: a search that may have read zeros is refused") {
  Stage stage(3);
  Client client(stage);
  client.log_in();
  CHECK(has(client.append("INBOX", message_of("one", "needle\r\n")), "OK"));
  client.ask("SELECT INBOX");
  CHECK(has(client.ask("SEARCH BODY needle"), "* SEARCH 1\r\n"));
  stage.pages.each = true;
  CHECK(has(client.ask("SEARCH BODY needle"), " NO "));
  client.send("x FETCH 1 BODY.PEEK[]\r\n");
  REQUIRE(stage.world.run_until([&] { return client.ended; }, 10min));
  CHECK_FALSE(has(client.received, "needle"));
}

TEST_CASE("SCRAM-SHA-256 and a large body over a slow network") {
  Stage stage(3);
  Client client(stage);
  client.log_in();
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "line " + std::to_string(i) + "\r\n";
  const auto message = message_of("large", body);
  CHECK(has(client.append("INBOX", message), "OK"));
  client.ask("SELECT INBOX");
  CHECK(has(client.ask("FETCH 1 BODY.PEEK[]"), message));
  CHECK(has(client.ask("FETCH 1 BODY.PEEK[TEXT]<100.50>"), "{50}\r\n" + body.substr(100, 50)));
  CHECK(has(client.ask("SEARCH BODY \"LINE 19999\""), "* SEARCH 1\r\n"));
}

}  // namespace
}  // namespace facteur::server::stage
